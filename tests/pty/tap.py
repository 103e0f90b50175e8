"""Runs the tests of a unittest class and speaks TAP, one line as soon as a test is over."""
import sys
import unittest


class Result(unittest.TestResult):
    count = 0

    def line(self, word, test, why=""):
        self.count += 1
        print("%s %d - %s%s" % (word, self.count, test.id().split(".")[-1].replace("_", " "), why), flush=True)

    def tell(self, test, error):
        self.line("not ok", test)
        print("".join("# %s\n" % line for line in self._exc_info_to_string(error, test).splitlines()), end="", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.line("ok", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line("ok", test, " # skip " + reason)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.tell(test, error)

    def addError(self, test, error):
        super().addError(test, error)
        self.tell(test, error)


def main(*classes):
    """Runs all tests of the classes, or those whose names hold one of the program's arguments."""
    words, suite = sys.argv[1:], unittest.TestSuite()
    for test in (t for c in classes for t in unittest.defaultTestLoader.loadTestsFromTestCase(c)):
        if not words or any(word in test.id() for word in words):
            suite.addTest(test)
    print("1..%d" % suite.countTestCases(), flush=True)
    result = Result()
    suite.run(result)
    sys.exit(0 if result.wasSuccessful() else 1)
