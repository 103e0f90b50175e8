"""Capability patterns, read from the text alone (engine/policy/README.md). Shares nothing with the engine.

A pattern is a kind and words, split as POSIX shell quotes them. A word, read, is a list of parts: ("text", s), ("star",), ("choice", [s, ...]), ("param", name);
`**` is the word REST."""
import functools, re

REST = ["rest"]
NAME = r"[^\s\x00-\x1f\x7f]+"  # of a secret, of whom to notify, of a runbook: no space, nothing hidden


def split(pattern):
    """The words, each a list of (character, is quoted)."""
    words, word, i = [], None, 0
    while i < len(pattern):
        c = pattern[i]
        i += 1
        if c in " \t":
            if word is not None:
                words.append(word)
            word = None
            continue
        word = [] if word is None else word
        if c == "'":
            end = pattern.index("'", i)
            word += [(q, True) for q in pattern[i:end]]
            i = end + 1
        elif c == '"':
            while pattern[i] != '"':
                if pattern[i] == "\\" and pattern[i + 1] in '$`"\\':
                    i += 1
                word.append((pattern[i], True))
                i += 1
            i += 1
        elif c == "\\":
            word.append((pattern[i], True))
            i += 1
        else:
            word.append((c, False))
    return words + ([word] if word is not None else [])


def parts_of(word):
    if word == [("*", False), ("*", False)]:
        return REST
    parts, i = [], 0
    while i < len(word):
        if word[i] == ("*", False):
            parts.append(("star",))
            i += 1
        elif word[i] == ("{", False):
            end = word.index(("}", False), i)
            inner = word[i + 1 : end]
            text = "".join(c for c, _ in inner)
            if text.startswith("param:"):
                parts.append(("param", text[len("param:") :]))
            else:
                choices = [""]
                for c in inner:
                    if c == ("|", False):
                        choices.append("")
                    else:
                        choices[-1] += c[0]
                parts.append(("choice", choices))
            i = end + 1
        else:
            parts.append(("text", word[i][0]))
            i += 1
    return parts


@functools.lru_cache(maxsize=100000)
def parse(pattern):
    """The kind and the words of a pattern, each a list of (character, is quoted)."""
    words = split(pattern)
    return "".join(c for c, _ in words[0]), words[1:]


def values_of(params, name):
    """A parameter's value as text; of a list each item. A secret (an object) is none."""
    value = params.get(name)
    out = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, bool):
            out.append("true" if item else "false")
        elif isinstance(item, (int, str)):
            out.append(str(item))
    return [text for text in out if text and "\0" not in text]


def begins_value(text, at, stops):
    """Does a value begin there: at the start, behind "=" or what a free part does not cross, or anywhere in an option before its "="? No free part takes a "-"
    there."""
    return at == 0 or text[at - 1] == "=" or text[at - 1] in stops or (text[0] == "-" and "=" not in text[:at])


@functools.lru_cache(maxsize=10000)
def upward(text):
    """Where the text leads upward: the places of each name that is "..". No free part takes these, lest it leave the folder that is written before it."""
    return frozenset(i for name in re.finditer(r"(?:^|(?<=[/=:,]))\.\.(?=$|[/=:,])", text) for i in range(*name.span()))


class Word:
    """One word of a request against one of a pattern: which places can be reached, part for part."""

    def __init__(self, text, params, stops, fixed):
        self.text, self.params, self.stops, self.fixed = text, params, stops, fixed

    def is_free(self, start, end):
        """May what a pattern leaves open stand for that stretch?"""
        stretch = self.text[start:end]
        if not stretch or (stretch[0] == "-" and begins_value(self.text, start, self.stops)):
            return False
        return not any(c in stretch for c in self.stops) and not any(i in self.fixed for i in range(start, end))

    def ends(self, part, start):
        kind, text = part[0], self.text
        if kind == "star":
            return [end for end in range(start + 1, len(text) + 1) if self.is_free(start, end)]
        if kind == "param":
            found = [start + len(v) for v in values_of(self.params, part[1]) if text.startswith(v, start)]
            return [end for end in found if self.is_free(start, end)]
        return [start + len(t) for t in ([part[1]] if kind == "text" else part[1]) if text.startswith(t, start)]


def word_matches(parts, text, params, stops="", is_argument=False):
    if "\0" in text:
        return False
    is_whole = len(parts) == 1 and parts[0][0] in ("star", "param")
    word = Word(text, params, stops, upward(text) if is_argument and not is_whole else frozenset())
    places = {0}
    for part in parts:
        places = {end for start in places for end in word.ends(part, start)}
    return len(text) in places


def words_match(wanted, words, params):
    """The argument list of a command. Its first word names the program: there no free part crosses "/"."""
    if wanted and wanted[-1] is REST:
        if len(words) < len(wanted) - 1:
            return False
        wanted, words = wanted[:-1], words[: len(wanted) - 1]
    if len(wanted) != len(words):
        return False
    return all(word_matches(parts, text, params, "" if i else "/", is_argument=True) for i, (parts, text) in enumerate(zip(wanted, words)))


def is_name(kind, text):
    """A runbook may be named by its path, which leads nowhere but down."""
    is_path_odd = kind == "runbook" and any(name in ("", ".", "..") for name in text.split("/"))
    return re.fullmatch(NAME, text, re.ASCII) is not None and not is_path_odd


# ---- targets: hosts and URLs, as far as DESIGN.md 7 says them ----


def host_of(text):
    """A host's one spelling, or None: what has another reading (a trailing dot, an empty label, bytes that are not ASCII) is no host."""
    host = text.lower()
    return host if re.fullmatch(r"(?!-)[a-z0-9_-]+(?<!-)(\.(?!-)[a-z0-9_-]+(?<!-))*", host, re.ASCII) else None


def cut(word, at):
    """What stands before and behind the first such character outside of quotes; before is None where there is none."""
    i = word.index((at, False)) if (at, False) in word else None
    return (None, word) if i is None else (word[:i], word[i + 1 :])


def lower(word):
    return [(c.lower(), quoted) for c, quoted in word]


def is_login(text):
    return re.fullmatch(r"[a-z_][\w.+$-]*", text, re.ASCII | re.IGNORECASE) is not None


def user_matches(pattern, text, params):
    """A login, or a user to act as: None stands for none and matches only itself."""
    if pattern is None or text is None:
        return pattern is text
    return is_login(text) and word_matches(parts_of(pattern), text, params, "@")


def is_on_host(login, host, given_login, given_host, params):
    given = host_of(given_host)
    return given is not None and user_matches(login, given_login, params) and word_matches(parts_of(lower(host)), given, params, ".")


def plain(word):
    return "".join(c for c, _ in word)


def allows_file(wanted, path, params):
    """An absolute path in its one spelling; `*` is one part of it, `**` behind a "/" all that is below."""
    if not re.fullmatch(r"(/[^/\x00-\x1f\x7f\\]+)+", path) or any(name in (".", "..") for name in path.split("/")):
        return False
    return path_matches(wanted, path, params)


def allows_ssh(wanted, words, params):
    """LOGIN@HOST as USER -- COMMAND, LOGIN@HOST put PATH: a pattern without a login or a user matches no request that has one, and the other way round."""
    login, host = cut(wanted[0], "@")
    given_login, is_given, given_host = words[0].rpartition("@") if words else ("", "", "")
    if len(wanted) == 3 and plain(wanted[1]) in ("put", "get"):
        of_host = is_on_host(login, host, given_login if is_given else None, given_host, params)
        return of_host and len(words) == 3 and words[1] == plain(wanted[1]) and allows_file(wanted[2], words[2], params)
    user = wanted[2] if wanted[1] == [("a", False), ("s", False)] else None
    given_user = words[2] if len(words) > 2 and words[1] == "as" else None
    behind = 3 if given_user is not None else 1
    if len(words) < behind + 2 or words[behind] != "--":
        return False
    command = [parts_of(word) for word in wanted[4 if user is not None else 2 :]]
    of_host = is_on_host(login, host, given_login if is_given else None, given_host, params)
    return of_host and user_matches(user, given_user, params) and words_match(command, words[behind + 1 :], params)


URL = r"(https?)://([^/:@?#\\]*)(?::(\d+))?(/[^?#\\]*)?"


PATH = r"([\w.~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*"


def allows_http(wanted, words, params):
    """METHOD URL, part for part. What plays tricks with the path, hides a host or has a query matches nothing here."""
    if len(words) != 2 or not word_matches(parts_of(wanted[0]), words[0], params):
        return False
    pattern = re.fullmatch(URL, "".join(c for c, _ in wanted[1]))
    given = re.fullmatch(URL, words[1], re.ASCII | re.IGNORECASE)
    host = host_of(given.group(2)) if given else None
    if host is None or given.group(1).lower() != pattern.group(1):
        return False
    default = "443" if pattern.group(1) == "https" else "80"
    if (given.group(3) or default) != (pattern.group(3) or default):
        return False
    path, names = given.group(4) or "/", (given.group(4) or "/").split("/")[1:]
    if re.search(r"%2f|%2e|%25|%5c|%00", path, re.IGNORECASE) or not re.fullmatch(PATH, path, re.ASCII) or any(name in (".", "..") for name in names) or "" in names[:-1]:
        return False
    return word_matches(parts_of(unquoted(pattern.group(2))), host, params, ".") and path_matches(unquoted(pattern.group(4) or "/"), path, params)


def unquoted(text):
    return [(c, False) for c in text]


def path_matches(wanted, path, params):
    """`*` stays within a name of the path, `**` is all that follows."""
    if wanted[-2:] != unquoted("**"):
        return word_matches(parts_of(wanted), path, params, "/")
    return any(word_matches(parts_of(wanted[:-2]), path[:end], params, "/") for end in range(len(path) + 1))


def allows(pattern, kind, words, params):
    """Does the pattern allow a call of that kind with these words?"""
    of_kind, wanted = parse(pattern)
    if of_kind != kind:
        return False
    if kind in ("secret", "notify", "runbook"):
        return len(words) == 1 and is_name(kind, words[0]) and word_matches(parts_of(wanted[0]), words[0], params, "/")
    if kind == "ssh":
        return allows_ssh(wanted, words, params)
    if kind == "http":
        return allows_http(wanted, words, params)
    return words_match([parts_of(word) for word in wanted], words, params)
