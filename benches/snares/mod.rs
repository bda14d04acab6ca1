//! Code made to hurt whoever parses it: kinds of hostile text, of any length. Shared by a test and a bench.

/// Lengths at which they are tried, in bytes.
pub(crate) const SIZES: [usize; 5] = [4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];

/// What code is made of that no length of names changes; `N` is a name or number, another one each time.
const OPERATIONS: &[&str] = &["N + ", "N * ", "N - ", "N == ", "N and ", "N % ", "N & ", "N < ", "N ** ", "-N / "];

/// Makes a text of a length in bytes, which is at least 16.
pub(crate) type Make = Box<dyn Fn(usize) -> String>;

/// Kinds of hostile text.
pub(crate) fn kinds() -> Vec<(&'static str, Make)> {
    let repeated = |pattern: &'static str| -> Make { Box::new(move |n_bytes| pattern.repeat(n_bytes / pattern.len())) };
    let nested = |open: &'static str, inside: &'static str, close: &'static str| -> Make {
        Box::new(move |n_bytes| {
            let depth = (n_bytes - inside.len()) / (open.len() + close.len());
            [&open.repeat(depth), inside, &close.repeat(depth)].concat()
        })
    };
    vec![
        ("continued lines", repeated("\\\n")),
        ("continued lines, CRLF", repeated("\\\r\n")),
        ("openings of raw strings", repeated("r#\"")),
        ("openings of raw strings on lines", repeated("r##\"\n")),
        ("braces that nothing closes", repeated("{")),
        ("parentheses that nothing closes", repeated("(")),
        ("brackets that nothing closes", repeated("[")),
        ("braces that nothing opened", repeated("}")),
        ("nested parentheses", nested("(", "x", ")")),
        ("nested braces", nested("{", "x", "}")),
        ("nested brackets", nested("[", "0", "]")),
        ("nested calls", nested("f(", "", ")")),
        ("nested conditions", nested("if x { ", "y();", " }")),
        ("NUL bytes", repeated("\0")),
        ("references of references", repeated("&")),
        ("negations", repeated("!")),
        ("nots", repeated("not ")),
        ("bars", repeated("|")),
        ("angle brackets", repeated("a<")),
        ("double quotes", repeated("\"")),
        ("single quotes", repeated("'")),
        ("triple quotes on lines", repeated("\"\"\"\n")),
        ("openings of comments", repeated("/*")),
        ("one token again and again", repeated("aaaa ")),
        ("one letter on lines", repeated("a\n")),
        ("attributes", repeated("#[a]\n")),
        ("decorators", repeated("@a\n")),
        ("openings of functions", repeated("def f(\n")),
        ("blocks that go deeper", Box::new(staircase)),
        ("a long name", repeated("a")),
        ("a long name of letters that are folded", repeated("а")),
        ("commas", repeated(",")),
        ("a long table", repeated("1, ")),
        ("a long sum", repeated("a+")),
        ("a long chain of members", repeated("a.")),
        ("colons", repeated("::")),
        ("formats", repeated("f'{")),
        ("marks of several bytes", repeated("\u{200B}¬∀")),
        ("operators between names", various(OPERATIONS, "\n")),
        ("operators between names, on one line", various(OPERATIONS, "")),
        ("conditions that go on", various(&["else if N > 0 { N() } ", "elif N > 1:\n    N(0)\n"], "if a { b() } ")),
        ("generics in generics", various(&["Vec<Option<N", "HashMap<N, ", "N<'a, "], "let x: ")),
        ("parentheses and what does not fit", various(&["(N ", "[N, ", ") ", "] N ", "{ ", "; ", "}"], "")),
        ("formats in formats", various(&["f\"{N", "f'{N + ", "f\"\"\"{N:{", "}}", "{{", "!r"], "")),
        ("macros in macros", various(&["N!(", "N![0, ", "N!{ N; ", ")", "]"], "")),
        ("strings that nothing closes", various(&["\"N\n", "'N ", "b\"N\n", "r\"N", "#\n"], "")),
        ("tiny functions", various(&["fn N(){}\n", "def N(): 0\n", "struct N;\n"], "")),
        ("a table of names and numbers", various(&["N, ", "0, ", "(N, 1), ", "\"N\", "], "x = [")),
        ("members, calls and places", various(&[".N", ".N()", "[N]", "?", ".0"], "x")),
        ("attributes of attributes", various(&["#[N(N = \"N\")]\n", "@N(N)\n", "@N.N\n"], "")),
        ("closures in closures", various(&["|N| ", "lambda N: ", "move |N, N| N + ", "N("], "")),
        ("patterns and arrows", various(&["N => ", "N @ ", "N | ", "Some(N) ", "match N { "], "")),
        ("names, each another", various(&["N "], "")),
        ("lines of comments", various(&["#N\n", "# N\n"], "")),
        ("lines that go on", various(&["N \\\n", "\\\n", " \\\n"], "x = ")),
        ("assignments in a row", various(&["N = ", "N += ", "N := "], "")),
    ]
}

/// Blocks of Python, each one column deeper than the one before.
fn staircase(n_bytes: usize) -> String {
    let mut text = String::new();
    for depth in 0.. {
        if text.len() + depth + 6 > n_bytes {
            return text;
        }
        text.extend(std::iter::repeat_n(' ', depth));
        text.push_str("if x:\n");
    }
    text
}

/// Pieces one after the other, drawn at random, behind a beginning. In them every `N` is replaced by a name or a number: nothing repeats.
pub(crate) fn various(pieces: &'static [&'static str], start: &'static str) -> Make {
    Box::new(move |n_bytes| {
        let mut random = Random(n_bytes as u64);
        let mut text = start.to_owned();
        while text.len() < n_bytes {
            let piece = pieces[random.below(pieces.len())];
            for (n, stretch) in piece.split('N').enumerate() {
                if n > 0 {
                    text.push_str(&random.name());
                }
                text.push_str(stretch);
            }
        }
        text.truncate(text.floor_char_boundary(n_bytes));
        text
    })
}

/// A generator of numbers, the same ones from the same seed (SplitMix64).
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// A number below another.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() >> 33).map_or(0, |number| number % n)
    }

    fn name(&mut self) -> String {
        let n = self.below(1 << 12);
        match self.below(8) {
            0 => n.to_string(),
            _ => format!("{}{n}", ["a", "bc", "x_", "T"][self.below(4)]),
        }
    }
}
