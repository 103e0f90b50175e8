"""Capability patterns, read from the text alone (engine/policy/README.md). Shares nothing with the engine.

A pattern is a kind and words, split as POSIX shell quotes them. A word is a list of parts: ("text", s), ("star",), ("choice", [s, ...]), ("param", name);
`**` is the word REST."""
import functools, re

REST = ["rest"]


class NotAPattern(ValueError):
    pass


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
    """The kind and the words of a pattern."""
    words = split(pattern)
    return "".join(c for c, _ in words[0]), [parts_of(word) for word in words[1:]]


def values_of(params, name):
    """A parameter's value as text; of a list each item."""
    value = params.get(name)
    out = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, bool):
            out.append("true" if item else "false")
        elif isinstance(item, (int, str)):
            out.append(str(item))
    return out


def expression(word, params, star):
    """A word as a regular expression. What is free (`*`, a parameter) and stands first is never something that starts with "-"."""
    out = ""
    for i, part in enumerate(word):
        guard = "(?!-)" if i == 0 else ""
        if part[0] == "star":
            out += guard + star
        elif part[0] == "choice":
            out += "(?:%s)" % "|".join(map(re.escape, part[1]))
        elif part[0] == "param":
            values = values_of(params, part[1])
            if not values:
                return None
            out += guard + "(?:%s)" % "|".join(map(re.escape, values))
        else:
            out += re.escape(part[1])
    return out


def word_matches(word, text, params, star=".+"):
    wanted = expression(word, params, star)
    return wanted is not None and re.fullmatch(wanted, text, re.DOTALL) is not None


def words_match(wanted, words, params):
    if wanted and wanted[-1] is REST:
        if len(words) < len(wanted) - 1:
            return False
        wanted, words = wanted[:-1], words[: len(wanted) - 1]
    return len(wanted) == len(words) and all(word_matches(w, text, params) for w, text in zip(wanted, words))


def allows(pattern, kind, words, params):
    """Does the pattern allow a call of that kind with these words?"""
    of_kind, wanted = parse(pattern)
    return of_kind == kind and words_match(wanted, words, params)
