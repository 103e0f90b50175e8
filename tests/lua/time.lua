-- The attempt began at 1700000000 s; the answer of call 1 came at 1 s.
expect(time.now() == 1700000000.0)
expect(time.iso() == "2023-11-14T22:13:20Z" and time.iso(0) == "1970-01-01T00:00:00Z" and time.iso(0.25) == "1970-01-01T00:00:00.250000Z")
expect(time.parse("2023-11-14T22:13:20Z") == 1700000000 and time.parse("1970-01-02") == 86400 and time.parse("1970-01-01T00:00:00.5Z") == 0.5)
expect(not pcall(time.parse, "yesterday") and not pcall(time.parse, "2023-02-30"))
expect(time.duration("1h30m") == 5400 and time.duration("250ms") == 0.25 and not pcall(time.duration, "5 parsecs"))
expect(time.words(200) == "3 min 20 s")
sh{"true"}
expect(time.now() == 1.0, "the time is that of the answer which came last")
