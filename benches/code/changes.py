"""Changes that a copy of a Python or Rust function can go through, made from its text alone.

    from changes import CHANGES, change
    changed = change("rename_all", text, "python", random.Random(1), Context())     # None where the change does not fit this function

A small tokenizer of our own (`tokenize`) finds comments, strings, character literals, lifetimes, numbers, names and operators with their exact
spans; everything between two tokens is layout and is kept. A string of several lines that is not closed, as in a text that was cut inside a docstring,
reaches to the end and is one token, so that its words do not count as code. A change gives the changed text and, where names were exchanged, the map from the name
in the source to the name in the copy, which is one-to-one and holds the names that occur as tokens of the copy.

  rename_all           every identifier: the function, helpers, members, fields, types, functions of the language. Kept: keywords, constants
                       and primitive types (`None`, `true`, `usize`), and in Rust macros, lifetimes and what stands in attributes `#[...]`
  rename_all_literals  the same, every string, character and integer literal other, comments and docstrings gone
  rename_some          the function's own name, its helpers, members, fields, keyword arguments, parameters and locals. Kept: names of the language
                       and its library, members of their types, and what the document imports from other packages
  reorder              neighbouring statements swapped that share no name one of them writes; at least two swaps
  cut, cut_renamed     the first 60 % of the lines, where at least 60 tokens are left; the second with every name changed
  homoglyphs, zero_width, full_width_digits, crlf, tabs, prompts, diff, fenced    the same code in other clothes

Standard library only. Spans are in characters; `byte_span` gives bytes.
"""

import ast
import builtins
import dataclasses
import io
import keyword
import re

# A cut keeps this share of the lines, and counts where so many tokens are left.
CUT_SHARE = 0.6
CUT_TOKENS_MIN = 60
SWAPS_MIN = 2


@dataclasses.dataclass(frozen=True)
class Token:
    """A piece of code: kind is comment, string, char, lifetime, number, keyword, name or op; in an f-string fopen, ftext, fmark, fclose."""
    kind: str
    text: str
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class Context:
    """What is known about the document around a function."""
    imported: frozenset = frozenset()


@dataclasses.dataclass(frozen=True)
class Changed:
    """A changed text; `renames` maps names of the source to names of the copy, None where no name was exchanged."""
    text: str
    renames: dict | None = None
    swaps: int = 0


# ---------------------------------------------------------------------------------------------------------------- words of the languages

PYTHON_KEYWORDS = frozenset(keyword.kwlist)
PYTHON_CONSTANTS = frozenset(("NotImplemented", "Ellipsis", "__debug__"))
PYTHON_BUILTINS = frozenset(dir(builtins)) | {"self", "cls"}
PYTHON_MEMBERS = frozenset(
    name for kind in (str, bytes, bytearray, list, tuple, dict, set, frozenset, int, float, complex, object, type, BaseException, OSError, property,
                      io.TextIOWrapper, io.BytesIO, (lambda: None).__class__, (_ for _ in ()).__class__) for name in dir(kind))

RUST_KEYWORDS = frozenset("""as async await box break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut
    pub ref return self Self static struct super trait true type unsafe use where while yield union _""".split())
RUST_PRIMITIVES = frozenset("bool char str u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64".split())
# The prelude, the names of std that nearly every file uses without or with an import, and its crates.
RUST_LIBRARY = frozenset("""Option Some None Result Ok Err Vec String Box Rc Arc Cell RefCell Cow HashMap HashSet BTreeMap BTreeSet VecDeque Mutex
    RwLock Path PathBuf Duration Instant Ordering Range Iterator IntoIterator DoubleEndedIterator ExactSizeIterator Extend FromIterator Fn FnMut FnOnce
    Clone Copy Send Sync Sized Drop Default PartialEq Eq PartialOrd Ord Hash Hasher Debug Display Write Read Seek BufRead Error Formatter From Into
    TryFrom TryInto AsRef AsMut Deref DerefMut Borrow ToOwned ToString FromStr Pin Poll Context Waker Future PhantomData NonNull MaybeUninit
    ManuallyDrop Weak OsStr OsString CStr CString Entry Item Target Output Index IndexMut Add Sub Mul Div Neg Not std core alloc drop
    main""".split())
RUST_MEMBERS = frozenset("""len is_empty push pop insert remove get get_mut iter iter_mut into_iter map and_then or_else unwrap unwrap_or unwrap_or_else
    unwrap_or_default expect ok err ok_or ok_or_else is_some is_none is_ok is_err as_ref as_mut as_str as_bytes as_slice as_deref clone cloned copied
    to_string to_owned to_vec into from try_from try_into default new with_capacity collect filter filter_map flat_map fold for_each find position any
    all rev zip enumerate skip take chain peekable peek next next_back last nth count sum product min max cmp partial_cmp eq ne lt le gt ge hash fmt
    borrow borrow_mut lock read write read_exact read_to_end write_all flush seek extend extend_from_slice append clear truncate resize reserve split
    split_at splitn lines chars bytes char_indices trim trim_start trim_end starts_with ends_with strip_prefix strip_suffix contains contains_key
    replace parse join concat sort sort_by sort_by_key sort_unstable dedup retain drain first swap windows chunks entry or_insert or_insert_with keys
    values values_mut to_lowercase to_uppercase is_alphabetic is_numeric is_ascii checked_add checked_sub checked_mul wrapping_add wrapping_sub
    wrapping_mul saturating_add saturating_sub overflowing_add pow abs sqrt floor ceil round load store fetch_add fetch_sub compare_exchange poll
    as_ptr as_mut_ptr add offset cast get_unchecked get_unchecked_mut into_inner get_ref display take_while skip_while map_err min_by max_by min_by_key
    max_by_key step_by unzip partition then then_some is_some_and to_le_bytes to_be_bytes from_le_bytes from_be_bytes leading_zeros trailing_zeros
    count_ones copy_from_slice clone_from_slice fill source description deref deref_mut drop index index_mut MAX MIN""".split())

WORDS = """acorn alder amber anchor anvil apple apron arbor archer arrow aspen atlas autumn badge bagel balcony bamboo banjo barley barrel basil basin
    basket beacon beaver bellow berry birch bishop bison blanket blossom bonnet border bottle boulder bramble branch brass bread breeze brick bridge
    bronze brook bucket butter button cabin cable cactus camel candle canoe canvas canyon carbon carpet carrot castle cattle cavern cedar cellar
    cement chalk chapel cherry chimney cider cinder circus citron clay cliff clover cobalt comet compass copper coral cotton cradle crater crayon
    cricket crimson crystal cushion dagger dahlia daisy desert diesel dolphin domino donkey drizzle dune eagle earth easel ebony echo elbow elder
    ember emerald engine fabric falcon fathom feather fennel ferry fiddle finch fjord flannel flint flour flute forest fossil fountain fox frost
    furnace galaxy garden garlic garnet geyser ginger glacier glider globe goose granite gravel grove guitar hammer hammock harbor harvest hatchet
    hazel heather hedge helmet heron hickory honey horizon hornet hurdle iceberg indigo island ivory jacket jasmine jelly jersey jigsaw juniper
    kayak kernel kettle kitchen kitten ladder lagoon lantern lapel larch lattice laurel lavender leather ledger lemon lichen lilac linen lizard
    lobster locust lotus lumber magnet mango mantle maple marble marigold marsh meadow melon mercury meteor mineral mirror mitten monsoon mortar
    mosaic moss mountain muffin mustard napkin nectar needle nettle nickel nutmeg oasis oatmeal ocean olive onion opal orchard orchid otter oyster
    paddle palace panther paper parsley pasture peach pebble pelican pencil pepper petal pewter pickle pigeon pillow pine pistachio plaster
    plum pocket pollen pond poplar porcelain prairie prism pumpkin puzzle quarry quartz quill rabbit radish rafter raisin raven reef ribbon river
    rocket rosemary rudder saddle saffron salmon sandal sapphire satin scarlet shadow shovel silver skillet slate sparrow spindle spruce
    stable summit sunset swallow syrup table tangerine teapot temple thicket thimble thistle thunder timber topaz tortoise trellis trout tulip
    tundra turnip turquoise umbrella urchin valley vanilla velvet violet voyage waffle wagon walnut walrus warbler whisker willow window winter
    wolf yarn yonder zephyr zinc zipper""".split()

# ---------------------------------------------------------------------------------------------------------------------------- tokenizer

PYTHON_TOKEN = re.compile(r"""
    (?P<space>[^\S\n]+|\n|\\\r?\n)
  | (?P<comment>\#[^\n]*)
  | (?P<fopen>(?:[fF][rR]?|[rR][fF])(?:\"\"\"|'''|"|'))
  | (?P<string>(?:[bB][rR]?|[rR][bB]?|[uU])?(?:\"\"\"(?:\\.|[^\\])*?(?:\"\"\"|\Z)|'''(?:\\.|[^\\])*?(?:'''|\Z)|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
  | (?P<number>0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9][0-9_]*)?[jJ]?)
  | (?P<name>[^\W\d]\w*)
  | (?P<op>->|:=|\.\.\.|\*\*=?|//=?|>>=?|<<=?|[-+*/%@&|^=!<>]=|.)
""", re.X | re.S)

RUST_TOKEN = re.compile(r"""
    (?P<space>\s+)
  | (?P<comment>//[^\n]*)
  | (?P<block>/\*)
  | (?P<string>(?:br|cr|r)(?P<hashes>\#*)"(?:.*?)(?:"(?P=hashes)|\Z)|[bc]?"(?:\\.|[^"\\])*(?:"|\Z))
  | (?P<char>b?'(?:\\u\{[^}]*\}|\\x..|\\.|[^\\'\n])')
  | (?P<lifetime>'[^\W\d]\w*)
  | (?P<number>0x[0-9a-fA-F_]+(?:[ui](?:8|16|32|64|128|size))?|0b[01_]+\w*|0o[0-7_]+\w*
      |[0-9][0-9_]*(?:\.[0-9][0-9_]*|\.(?![.\w]))?(?:[eE][+-]?[0-9_]+)?(?:[uif](?:8|16|32|64|128|size))?)
  | (?P<name>r\#[^\W\d]\w*|[^\W\d]\w*)
  | (?P<op>::|->|=>|\.\.=|\.\.\.|\.\.|&&|\|\||<<=|>>=|[-+*/%^&|=!<>]=|.)
""", re.X | re.S)
RUST_COMMENT_EDGE = re.compile(r"/\*|\*/")


def tokenize(text, lang):
    """Gives the tokens of a text in their order; never fails: what fits nothing is an op of one character."""
    return _tokenize_python(text) if lang == "python" else _tokenize_rust(text)


def _tokenize_rust(text):
    tokens, at, end = [], 0, len(text)
    while at < end:
        found = RUST_TOKEN.match(text, at)
        kind, start, at = found.lastgroup, at, found.end()
        if kind == "hashes":
            kind = "string"
        if kind == "space":
            continue
        if kind == "block":
            kind, depth = "comment", 1
            while depth and (edge := RUST_COMMENT_EDGE.search(text, at)):
                depth += 1 if edge.group() == "/*" else -1
                at = edge.end()
            if depth:
                at = end
        word = text[start:at]
        if kind == "name" and word in RUST_KEYWORDS:
            kind = "keyword"
        tokens.append(Token(kind, word, start, at))
    return tokens


def _tokenize_python(text):
    tokens, at, end = [], 0, len(text)
    while at < end:
        at = _python_token(text, at, tokens)
    return tokens


def _python_token(text, at, tokens):
    """Adds the token at a place, with an f-string all of its parts; gives the place after it."""
    found = PYTHON_TOKEN.match(text, at)
    kind, word = found.lastgroup, found.group()
    if kind == "space":
        return found.end()
    if kind == "fopen":
        return _fstring(text, at, found.end(), tokens)
    if kind == "name" and word in PYTHON_KEYWORDS:
        kind = "keyword"
    tokens.append(Token(kind, word, at, found.end()))
    return found.end()


def _fstring(text, start, at, tokens):
    """Splits an f-string into its marks, its text and the tokens of its expressions. `levels` holds, from outside to inside, what is being read:
    `text` of the string, `format` text after a colon, or the depth of brackets in an expression."""
    opener = text[start:at]
    quote = opener.lstrip("fFrR")
    raw = "r" in opener.lower()
    first = len(tokens)
    tokens.append(Token("fopen", opener, start, at))
    levels, begin = ["text"], at

    def close_text(end):
        if end > begin:
            tokens.append(Token("ftext" if levels[-1] == "text" else "fmark", text[begin:end], begin, end))

    while at < len(text):
        here = text[at]
        if levels[-1] in ("text", "format"):
            if levels[-1] == "text" and text.startswith(quote, at):
                close_text(at)
                tokens.append(Token("fclose", quote, at, at + len(quote)))
                return at + len(quote)
            if here == "\n" and len(quote) == 1 or levels[-1] == "format" and text.startswith(quote, at):
                break
            if here == "\\" and not raw:
                at += 2
            elif here in "{}" and levels[-1] == "text" and text.startswith(2 * here, at):
                at += 2
            elif here == "{":
                close_text(at)
                tokens.append(Token("fmark", "{", at, at + 1))
                levels.append(0)
                at = begin = at + 1
            elif here == "}" and levels[-1] == "format":
                close_text(at)
                levels.pop()
                tokens.append(Token("fmark", "}", at, at + 1))
                at = begin = at + 1
            else:
                at += 1
        elif levels[-1] == 0 and here == "}":
            levels.pop()
            tokens.append(Token("fmark", "}", at, at + 1))
            at = begin = at + 1
        elif levels[-1] == 0 and here == ":" or here == "!" and not text.startswith("!=", at):
            levels[-1] = "format"
            if here == "!":
                levels[-1] = 0
                tokens.append(Token("fmark", text[at:at + 2], at, at + 2))
                at += 2
            else:
                tokens.append(Token("fmark", ":", at, at + 1))
                at += 1
            begin = at
        elif text.startswith(quote, at):
            break
        else:
            if here in "([{":
                levels[-1] += 1
            elif here in ")]}":
                levels[-1] -= 1
            at = begin = _python_token(text, at, tokens)
    # Not closed: the opening alone is a token, what follows is read as code.
    del tokens[first:]
    tokens.append(Token("op", opener, start, start + len(opener)))
    return start + len(opener)


def code_tokens(text, lang):
    """The tokens without comments."""
    return [token for token in tokenize(text, lang) if token.kind != "comment"]


def is_balanced(text, lang):
    """Tells whether every bracket has its partner and no string is left open; an open string swallows the brackets after it."""
    stack, partner = [], {")": "(", "]": "[", "}": "{"}
    for token in tokenize(text, lang):
        if token.kind != "op":
            continue
        if token.text in "([{":
            stack.append(token.text)
        elif token.text in partner and (not stack or stack.pop() != partner[token.text]):
            return False
        elif token.text in "\"'":
            return False
    return not stack


def byte_span(text, start, end):
    """A span in characters as bytes of UTF-8."""
    first = len(text[:start].encode())
    return first, first + len(text[start:end].encode())


def _rewrite(text, tokens, new_text):
    """The text with each token replaced by what `new_text(index, token)` gives; layout is kept."""
    parts, at = [], 0
    for index, token in enumerate(tokens):
        parts += (text[at:token.start], new_text(index, token))
        at = token.end
    return "".join((*parts, text[at:]))


# ----------------------------------------------------------------------------------------------------------------------------- renaming

def imported_names(document, lang, package=""):
    """Names that a document imports from elsewhere than its own package."""
    names = set()
    if lang == "python":
        try:
            tree = ast.parse(document)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return frozenset()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names if alias.name.split(".")[0] != package}
            elif isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] != package:
                names |= {alias.asname or alias.name for alias in node.names}
        return frozenset(names)
    for use in re.finditer(r"^\s*(?:pub(?:\([^)]*\))?\s+)?use\s+([^;]+);", document, re.M):
        path = re.findall(r"[^\W\d]\w*", use.group(1))
        if path and path[0] not in ("crate", "self", "super", package.replace("-", "_")):
            names |= set(path) - RUST_KEYWORDS
    return frozenset(names)


def _fixed_in_rust(tokens):
    """The places of names that stay: macros with their path, and everything in attributes."""
    fixed, index = set(), 0
    while index < len(tokens):
        token = tokens[index]
        following = [t.text for t in tokens[index + 1:index + 3]]
        if token.kind == "name" and following[:1] == ["!"] and following[1:] and following[1] in "([{":
            fixed.add(index)
            back = index
            while back >= 2 and tokens[back - 1].text == "::" and tokens[back - 2].kind in ("name", "keyword"):
                back -= 2
                fixed.add(back)
        if token.text == "#" and (following[:1] == ["["] or following[:2] == ["!", "["]):
            depth = 0
            while index < len(tokens):
                depth += (tokens[index].text == "[") - (tokens[index].text == "]")
                fixed.add(index)
                if tokens[index].text == "]" and depth == 0:
                    break
                index += 1
        index += 1
    return fixed


def _in_macros(tokens):
    """The places of tokens between the brackets of a macro call."""
    inside, depth, opened = set(), 0, []
    for index, token in enumerate(tokens):
        if token.kind == "op" and token.text in "([{":
            depth += 1
            if index >= 2 and tokens[index - 1].text == "!" and tokens[index - 2].kind == "name":
                opened.append(depth)
        elif token.kind == "op" and token.text in ")]}":
            if opened and opened[-1] == depth:
                opened.pop()
            depth -= 1
        if opened:
            inside.add(index)
    return inside


def _styled(words, name):
    """Writes words the way a name is written: CONSTANT, Type or variable."""
    bare = name.strip("_")
    if bare.isupper() and len(bare) > 1:
        return "_".join(words).upper()
    if bare[:1].isupper():
        return "".join(word.capitalize() for word in words)
    return "_".join(words)


def _fresh_names(names, taken, draw):
    """A map of names to new ones of the same style, one-to-one, none of them taken."""
    taken = set(taken) | PYTHON_BUILTINS | PYTHON_KEYWORDS | PYTHON_MEMBERS | RUST_KEYWORDS | RUST_PRIMITIVES | RUST_LIBRARY | RUST_MEMBERS
    renames = {}
    for name in names:
        new = None
        while new is None or new in taken:
            new = _styled(draw.sample(WORDS, draw.choice((1, 2, 2))), name)
        taken.add(new)
        renames[name] = new
    return renames


FORMAT_CAPTURE = re.compile(r"(?<!\{)\{([^\W\d]\w*)")


def _rename(text, lang, draw, is_kept):
    """Exchanges every name that is not kept; `is_kept(tokens, index)`."""
    tokens = tokenize(text, lang)
    if lang == "rust" and any(token.text == "$" for token in tokens):
        return None
    fixed = _fixed_in_rust(tokens) if lang == "rust" else set()
    names, kept = {}, set()
    for index, token in enumerate(tokens):
        if token.kind == "name":
            names[token.text] = None
            if index in fixed or is_kept(tokens, index):
                kept.add(token.text)
    # One spelling has one fate, so that the map stays a map of spellings: a name that is kept somewhere is kept everywhere.
    order = [name for name in names if name not in kept]
    if not order:
        return None
    renames = _fresh_names(order, names, draw)
    macros = _in_macros(tokens) if lang == "rust" else set()

    def new_text(index, token):
        if token.kind == "name" and index not in fixed:
            return renames.get(token.text, token.text)
        if token.kind == "string" and index in macros:
            return FORMAT_CAPTURE.sub(lambda capture: "{" + renames.get(capture.group(1), capture.group(1)), token.text)
        return token.text

    return Changed(_rewrite(text, tokens, new_text), renames)


def rename_all(text, lang, draw, context):
    if lang == "python":
        if not _is_plain_python(text):
            return None
        return _rename(text, lang, draw, lambda tokens, index: tokens[index].text in PYTHON_CONSTANTS)
    return _rename(text, lang, draw, lambda tokens, index: tokens[index].text in RUST_PRIMITIVES)


def rename_some(text, lang, draw, context):
    if lang == "python" and not _is_plain_python(text):
        return None
    own = _own_name(text, lang)
    library = PYTHON_BUILTINS if lang == "python" else RUST_LIBRARY | RUST_PRIMITIVES
    members = PYTHON_MEMBERS if lang == "python" else RUST_MEMBERS
    joints = (".",) if lang == "python" else (".", "::")

    def is_kept(tokens, index):
        name = tokens[index].text
        if name == own and not name.startswith("__"):
            return False
        if name in library or name in context.imported or name.startswith("__") and name.endswith("__"):
            return True
        after_joint = index >= 2 and tokens[index - 1].text in joints
        if not after_joint:
            return False
        # The first part of `a.b.c` decides whether the rest belongs to another package.
        root = index
        while root >= 2 and tokens[root - 1].text in joints and tokens[root - 2].kind in ("name", "keyword"):
            root -= 2
        foreign = root != index and (tokens[root].text in context.imported or tokens[root].text in library - {"self", "cls"})
        return name in members or foreign

    changed = _rename(text, lang, draw, is_kept)
    return changed if changed and own in changed.renames else None


def _own_name(text, lang):
    tokens = code_tokens(text, lang)
    opener = "def" if lang == "python" else "fn"
    return next((b.text for a, b in zip(tokens, tokens[1:]) if a.text == opener and b.kind == "name"), "")


def _is_plain_python(text):
    """Tells whether it parses and has no `match` statement, whose word is a name elsewhere."""
    try:
        return not any(isinstance(node, ast.Match) for node in ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


# ----------------------------------------------------------------------------------------------------------------------------- literals

LITERAL_PART = re.compile(r"""(?P<keep>\\(?:N\{[^}]*\}|u\{[^}]*\}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{1,3}|.)
    |\{\{|\}\}|\{[^{}\n]*\}|%\([^)]*\)[-\#0\ +]*[0-9.]*[a-zA-Z]|%[-\#0+]*[0-9.]*[a-zA-Z])|(?P<letters>[^\W\d_]+)|(?P<digits>[0-9]+)""", re.X | re.S)


def _other_words(body, draw):
    """The text of a string with every run of letters or digits another; escapes and places to fill in stay."""
    def other(part):
        if part.lastgroup == "letters":
            return _other(part.group(), lambda: draw.choice(WORDS))
        if part.lastgroup == "digits":
            return _other(part.group(), lambda: str(draw.randrange(10, 9_999)))
        return part.group()
    return LITERAL_PART.sub(other, body)


def _other(old, make):
    new = make()
    while new == old:
        new = make()
    return new


STRING_SHAPE = re.compile(r"""(?P<open>[A-Za-z]*(?P<hashes>\#*)(?:\"\"\"|'''|"|'))(?P<body>.*?)(?P<close>(?:\"\"\"|'''|"|')(?P=hashes))\Z""", re.S)
INTEGER = re.compile(r"(0[xX][0-9a-fA-F_]+?|0[bB][01_]+|0[oO][0-7_]+|[0-9][0-9_]*)([ui](?:8|16|32|64|128|size))?\Z")


def _other_literal(tokens, index, lang, draw):
    token = tokens[index]
    if token.kind == "string" and (shape := STRING_SHAPE.match(token.text)):
        body = _other_words(shape["body"], draw)
        if body == shape["body"]:
            body = draw.choice(WORDS) + body
        return shape["open"] + body + shape["close"]
    if token.kind == "fopen":
        return token.text + draw.choice(WORDS) + " "
    if token.kind == "ftext":
        return _other_words(token.text, draw)
    if token.kind == "char":
        letter = _other(token.text[-2], lambda: draw.choice("abcdefghijkmopqsuvwyz"))
        return ("b'" if token.text.startswith("b") else "'") + letter + "'"
    is_field = index > 0 and tokens[index - 1].text == "." and tokens[index - 1].end == token.start and lang == "rust"
    if token.kind == "number" and not is_field and (shape := INTEGER.match(token.text)):
        digits, suffix = shape.groups()
        base = {"x": 16, "b": 2, "o": 8}.get(digits[1:2].lower(), 10)
        value = int(digits.replace("_", ""), base) + draw.randrange(1, 90)
        return {16: hex, 2: bin, 8: oct, 10: str}[base](value) + (suffix or "")
    return token.text


def strip_comments(text, lang):
    """The text without comments, and in Python without docstrings; lines that were only comment are gone."""
    tokens = tokenize(text, lang)
    gone = {(token.start, token.end) for token in tokens if token.kind == "comment"}
    filled = set()
    if lang == "python":
        starts = [0]
        for line in text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        lines = text.splitlines(keepends=True)

        def place(line, column):
            return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

        for node in ast.walk(ast.parse(text)):
            body = getattr(node, "body", None)
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and ast.get_docstring(node, clean=False) is not None:
                first = body[0]
                span = (place(first.lineno, first.col_offset), place(first.end_lineno, first.end_col_offset))
                (gone if len(body) > 1 else filled).add(span)
    kept, at = [], 0
    for start, end in sorted(gone | filled):
        kept += (text[at:start], "pass" if (start, end) in filled else "\0" + " " * ("\n" not in text[start:end] and text[end:end + 1] not in ("\n", "")))
        at = end
    out = []
    for line in "".join((*kept, text[at:])).split("\n"):
        bare = line.replace("\0", "")
        if bare.strip(" ;\t\r") or "\0" not in line:
            out.append(bare.rstrip() if "\0" in line else bare)
    return "\n".join(out)


def rename_all_literals(text, lang, draw, context):
    if lang == "python" and not _is_plain_python(text):
        return None
    renamed = rename_all(strip_comments(text, lang), lang, draw, context)
    if renamed is None:
        return None
    tokens = tokenize(renamed.text, lang)
    fixed = _fixed_in_rust(tokens) if lang == "rust" else set()
    changed = _rewrite(renamed.text, tokens, lambda i, t: t.text if i in fixed else _other_literal(tokens, i, lang, draw))
    return Changed(changed, _only_present(changed, lang, renamed.renames))


def _only_present(text, lang, renames):
    present = {token.text for token in tokenize(text, lang) if token.kind == "name"}
    return {old: new for old, new in renames.items() if new in present}


# -------------------------------------------------------------------------------------------------------------------- order and extent

@dataclasses.dataclass
class _Statement:
    """A statement of one line: what it writes, the other names in it, those that are called, whether it calls at all."""
    line: int
    writes: set
    names: set
    called: set

    def is_independent(self, other):
        if self.writes & other.names or other.writes & self.names:
            return False
        # Two calls may meet behind a name that both are given.
        return not (self.called and other.called and (self.names - self.called) & (other.names - other.called))


def reorder(text, lang, draw, context):
    blocks = _python_blocks(text) if lang == "python" else _rust_blocks(text)
    lines, swaps = text.split("\n"), 0
    for block in blocks:
        at = 0
        while at + 1 < len(block):
            first, second = block[at:at + 2]
            if second.line == first.line + 1 and lines[first.line] != lines[second.line] and first.is_independent(second):
                lines[first.line], lines[second.line] = lines[second.line], lines[first.line]
                swaps, at = swaps + 1, at + 1
            at += 1
    return Changed("\n".join(lines), None, swaps) if swaps >= SWAPS_MIN else None


def _python_blocks(text):
    """The statements of each block that may move, in order."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    n_starts = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            n_starts[node.lineno] = n_starts.get(node.lineno, 0) + 1
    blocks = []
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if isinstance(body, list):
                blocks.append([known for child in body if n_starts.get(child.lineno) == 1 and (known := _python_statement(child))])
    return blocks


def _python_statement(node):
    is_assignment = isinstance(node, (ast.Assign, ast.AugAssign)) or isinstance(node, ast.AnnAssign) and node.value is not None
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    if node.lineno != node.end_lineno or not (is_assignment or is_call):
        return None
    writes, names, called = set(), set(), set()
    for child in ast.walk(node):
        if isinstance(child, (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)):
            return None
        if isinstance(child, ast.Name):
            names.add(child.id)
            if isinstance(child.ctx, ast.Store):
                writes.add(child.id)
        elif isinstance(child, ast.Attribute):
            names.add(child.attr)
            if isinstance(child.ctx, ast.Store):
                writes.add(child.attr)
        elif isinstance(child, ast.Subscript) and isinstance(child.ctx, ast.Store):
            writes |= {part.attr if isinstance(part, ast.Attribute) else part.id
                       for part in ast.walk(child.value) if isinstance(part, (ast.Name, ast.Attribute))} - {"self"}
        elif isinstance(child, ast.Call):
            if isinstance(child.func, ast.Name):
                called.add(child.func.id)
            elif isinstance(child.func, ast.Attribute):
                called.add(child.func.attr)
                # What a method is called on may change.
                writes |= {part.id for part in ast.walk(child.func.value) if isinstance(part, ast.Name)}
            else:
                return None
    return _Statement(node.lineno - 1, writes, names, called)


RUST_FLOW = frozenset("return break continue await yield if match loop while for else unsafe use fn struct enum impl const static move ?".split())
RUST_ASSIGNMENTS = frozenset("= += -= *= /= %= ^= |= &= <<= >>=".split())


def _rust_blocks(text):
    """Runs of lines that are each one whole statement of the same block."""
    by_line, line, at = {}, 0, 0
    for token in tokenize(text, "rust"):
        line += text.count("\n", at, token.start)
        at = token.start
        by_line.setdefault(line, []).append(token)
        if "\n" in token.text:
            by_line[line + token.text.count("\n")] = by_line.get(line + token.text.count("\n"), []) + [token]
    blocks, block, previous, indent = [], [], None, None
    lines = text.split("\n")
    for line in range(len(lines)):
        tokens = [token for token in by_line.get(line, []) if token.kind != "comment"]
        if not tokens:
            previous = previous if line in by_line else ";"
            blocks, block = [*blocks, block], []
            continue
        this_indent = len(lines[line]) - len(lines[line].lstrip())
        statement = _rust_statement(tokens, line) if previous in (";", "{", "}") else None
        if statement is None or this_indent != indent:
            blocks, block = [*blocks, block], []
        if statement is not None:
            block.append(statement)
        previous, indent = tokens[-1].text, this_indent
    return [*blocks, block]


def _rust_statement(tokens, line):
    texts = [token.text for token in tokens]
    if texts[-1] != ";" or texts.count(";") != 1 or RUST_FLOW & set(texts) or any("\n" in t for t in texts):
        return None
    if any(a == "!" and b in "([{" and tokens[i - 1].kind == "name" for i, (a, b) in enumerate(zip(texts, texts[1:])) if i):
        return None
    depth, sign = 0, None
    for index, word in enumerate(texts):
        depth += (word in ("(", "[", "{")) - (word in (")", "]", "}"))
        if depth < 0:
            return None
        if depth == 0 and sign is None and word in RUST_ASSIGNMENTS:
            sign = index
    if depth or sign is None and not (tokens[0].kind in ("name", "keyword") and texts[0] != "let" and "(" in texts):
        return None
    names = {token.text for token in tokens if token.kind == "name" or token.text == "self"}
    writes, called = set(), set()
    if sign is not None:
        left = tokens[:sign]
        if texts[0] == "let":
            colon = next((i for i, token in enumerate(left) if token.text == ":"), len(left))
            writes |= {token.text for token in left[:colon] if token.kind == "name"}
        else:
            own = [token.text for token in left if token.kind == "name"]
            writes |= set(own[-1:] if "[" not in texts[:sign] else own)
    for index, token in enumerate(tokens):
        if token.text == "(" and index and tokens[index - 1].kind == "name":
            called.add(texts[index - 1])
            back = index - 1
            while back >= 2 and texts[back - 1] in (".", "::") and tokens[back - 2].kind in ("name", "keyword"):
                back -= 2
                if texts[back + 1] == ".":
                    writes.add(texts[back])
            if back == index - 1 and index >= 2 and texts[index - 2] == ".":
                writes |= names - called
        if token.text == "mut" and index and texts[index - 1] == "&":
            writes |= {following.text for following in tokens[index + 1:index + 2]}
    return _Statement(line, writes, names, called)


def cut(text, lang, draw, context):
    lines = text.split("\n")
    kept = "\n".join(lines[:int(len(lines) * CUT_SHARE)])
    return Changed(kept) if len(code_tokens(kept, lang)) >= CUT_TOKENS_MIN else None


def cut_renamed(text, lang, draw, context):
    renamed = rename_all(text, lang, draw, context)
    short = renamed and cut(renamed.text, lang, draw, context)
    return Changed(short.text, _only_present(short.text, lang, renamed.renames)) if short else None


# ----------------------------------------------------------------------------------------------------------------------------- evasions

HOMOGLYPHS = {"a": "\u0430", "c": "\u0441", "e": "\u0435", "i": "\u0456", "j": "\u0458", "o": "\u03bf", "p": "\u0440", "s": "\u0455", "x": "\u0445",
              "y": "\u0443", "A": "\u0391", "B": "\u0392", "E": "\u0395", "H": "\u041d", "K": "\u039a", "M": "\u041c", "O": "\u041e", "P": "\u0420",
              "T": "\u0422", "X": "\u03a7"}
ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff"
# Shares of the letters, and of the names, that are touched.
HOMOGLYPH_SHARE = 0.3
ZERO_WIDTH_SHARE = 0.5


def homoglyphs(text, lang, draw, context):
    def disguised(word):
        return "".join(HOMOGLYPHS[c] if c in HOMOGLYPHS and draw.random() < HOMOGLYPH_SHARE else c for c in word)
    return _touched(text, lang, lambda token: disguised(token.text) if token.kind == "name" else token.text)


def zero_width(text, lang, draw, context):
    def disguised(word):
        if len(word) < 3 or draw.random() >= ZERO_WIDTH_SHARE:
            return word
        at = draw.randrange(1, len(word))
        return word[:at] + draw.choice(ZERO_WIDTH) + word[at:]
    return _touched(text, lang, lambda token: disguised(token.text) if token.kind == "name" else token.text)


def full_width_digits(text, lang, draw, context):
    wide = {ord("0") + digit: 0xFF10 + digit for digit in range(10)}
    return _touched(text, lang, lambda token: token.text.translate(wide) if token.kind == "number" else token.text)


def _touched(text, lang, new_text):
    changed = _rewrite(text, tokenize(text, lang), lambda index, token: new_text(token))
    return Changed(changed) if changed != text else None


def crlf(text, lang, draw, context):
    return Changed(text.replace("\r\n", "\n").replace("\n", "\r\n"))


def tabs(text, lang, draw, context):
    changed = re.sub(r"^(?: {4})+", lambda blanks: "\t" * (len(blanks.group()) // 4), text, flags=re.M)
    return Changed(changed) if changed != text else None


def prompts(text, lang, draw, context):
    if lang != "python":
        return None
    return Changed("\n".join((">>> " if index == 0 else "... ") + line for index, line in enumerate(text.rstrip("\n").split("\n"))))


def diff(text, lang, draw, context):
    return Changed("\n".join("+" + line for line in text.rstrip("\n").split("\n")))


LEADS = ("Sure, the following does what you asked for.", "You could write it this way, which should be fast enough for most inputs.",
         "Thanks for the question! I would put the logic in one place, like so:", "Below is one possible version; adapt the names to your project.")
TAILS = ("Call it once at start-up and keep the result around.", "Let me know if you would like a few tests for this as well.",
         "Note that errors are passed on to the caller, which seems the better choice here.", "If the input grows, a lazy variant may be preferable.")


def fenced(text, lang, draw, context):
    return Changed(f"{draw.choice(LEADS)}\n\n```{lang}\n{text.rstrip()}\n```\n\n{draw.choice(TAILS)}\n")


def verbatim(text, lang, draw, context):
    return Changed(text)


CHANGES = {made.__name__: made for made in (
    verbatim, rename_some, rename_all, rename_all_literals, reorder, cut, cut_renamed,
    homoglyphs, zero_width, full_width_digits, crlf, tabs, prompts, diff, fenced)}


def change(name, text, lang, draw, context=Context()):
    """Makes the change of this name; None where it does not fit the function."""
    return CHANGES[name](text, lang, draw, context)
