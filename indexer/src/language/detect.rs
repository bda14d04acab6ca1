//! What a text is written in, by its content.

use std::sync::LazyLock;

use super::Language;

/// Bytes that are looked at: a few pages, enough for any text to show what it is.
const SAMPLE_BYTES_MAX: usize = 16 * 1024;

/// Most that one line may say for a language: no single line decides.
const LINE_WEIGHT_MAX: u32 = 6;

/// Weight of a line for a language from which it is code, whatever its words look like.
const CODE_LINE_WEIGHT_MIN: u32 = 3;

/// Weight for a language below which a text is prose.
const WEIGHT_MIN: u32 = 4;

/// Bytes in lines of code for each byte in lines of prose, below which a text is prose.
const PROSE_FACTOR: usize = 6;

/// Bytes of a text for each byte in its lines of code, above which it is prose: tables and data are neither.
const CODE_FACTOR: usize = 10;

/// Words in a row, with nothing but a comma between them, that make a line prose.
const PROSE_WORDS_MIN: usize = 4;

/// What a text is written in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detected {
    /// The language.
    pub language: Language,
    /// How much speaks for it, from 0 to 1: 1 where nothing speaks for another.
    pub confidence: f32,
}

/// Tells by its content what a text is written in.
///
/// Each line of the first 16 KiB is evidence: words and operators that one language or few have, at the beginning, the end
/// or anywhere in the line. Comments and documentation count neither way. Prose is what little speaks for any language
/// in, where a good part of the lines are words and nothing else, or where code is fenced as in Markdown.
///
/// Not guaranteed: one or two lines may say too little, and then are prose. C is told from C++, and JavaScript from
/// TypeScript, by what only the latter has.
///
/// Measured on development data (functions of Python and Rust packages, whole and edited; passages of documents in
/// English, German and Chinese): the language of 2,810 of 2,813 functions, prose for 998 of 1,005 passages. The other
/// seven passages are listings in C out of manual pages, with no or next to no sentence, and found to be C.
///
/// Cost: linear in the part looked at.
pub fn detect(text: &str) -> Detected {
    let sample = &text[..text.floor_char_boundary(SAMPLE_BYTES_MAX)];
    let mut tally = Tally::default();
    let mut comment = Comment::No;
    for (line_idx, line) in sample.lines().enumerate() {
        let line = line.trim();
        if line_idx == 0 && line.starts_with("#!") {
            tally.count_shebang(line);
        } else if !line.is_empty() && !comment.takes(line) {
            tally.count(line);
        }
    }
    tally.decide()
}

/// Where a line may hold a piece of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    End,
    Anywhere,
}
use Place::{Anywhere, End, Start};

const N_LANGUAGES: usize = Language::ALL.len();

const PYTHON: &[Language] = &[Language::Python];
const RUST: &[Language] = &[Language::Rust];
const JS: &[Language] = &[Language::JavaScript, Language::TypeScript, Language::Tsx];
const TS: &[Language] = &[Language::TypeScript, Language::Tsx];
const TSX: &[Language] = &[Language::Tsx];
const JSX: &[Language] = &[Language::JavaScript, Language::Tsx];
const JAVA: &[Language] = &[Language::Java];
const GO: &[Language] = &[Language::Go];
const C: &[Language] = &[Language::C, Language::Cpp];
const CPP: &[Language] = &[Language::Cpp];
const CURLY: &[Language] = &[
    Language::Rust,
    Language::JavaScript,
    Language::TypeScript,
    Language::Tsx,
    Language::Java,
    Language::Go,
    Language::C,
    Language::Cpp,
];
const SEMICOLON: &[Language] = &[
    Language::Rust,
    Language::JavaScript,
    Language::TypeScript,
    Language::Tsx,
    Language::Java,
    Language::C,
    Language::Cpp,
];
const JAVA_C: &[Language] = &[Language::Java, Language::C, Language::Cpp];
const JAVA_JS: &[Language] = &[Language::Java, Language::JavaScript, Language::TypeScript, Language::Tsx];

/// What speaks for which languages, where in a line, and how much.
#[rustfmt::skip]
const EVIDENCE: &[(Place, &str, u32, &[Language])] = &[
    (End, ":", 1, PYTHON), (End, "):", 3, PYTHON), (End, "{", 1, CURLY), (End, ";", 1, SEMICOLON), (End, "}", 1, CURLY),
    (End, ") {", 1, CURLY), (End, ");", 1, SEMICOLON), (End, "],", 1, PYTHON),
    (Start, "class ", 2, PYTHON), (Start, "class ", 2, JS), (Start, "class ", 2, JAVA), (Start, "class ", 2, CPP),
    // Python.
    (Start, "def ", 4, PYTHON), (Start, "async def ", 3, PYTHON), (Start, "from ", 1, PYTHON), (Anywhere, "self.", 2, PYTHON),
    (Anywhere, "self,", 2, PYTHON), (Anywhere, "(self)", 3, PYTHON), (Anywhere, "elif ", 2, PYTHON), (Start, "except ", 2, PYTHON),
    (Start, "except:", 3, PYTHON), (Start, "else:", 3, PYTHON), (Start, "try:", 3, PYTHON), (Start, "finally:", 3, PYTHON),
    (Start, "raise ", 2, PYTHON), (Start, "with ", 1, PYTHON), (Start, "import ", 1, PYTHON), (Start, "@", 1, PYTHON),
    (Anywhere, "is None", 3, PYTHON), (Anywhere, "is not None", 3, PYTHON), (Anywhere, "None", 1, PYTHON),
    (Anywhere, "not in ", 1, PYTHON), (Anywhere, "True", 1, PYTHON), (Anywhere, "False", 1, PYTHON),
    (Anywhere, "lambda ", 1, PYTHON), (Anywhere, "__", 1, PYTHON), (Anywhere, "isinstance(", 3, PYTHON),
    (Anywhere, "len(", 1, PYTHON), (Start, "print(", 2, PYTHON), (Anywhere, "if not ", 1, PYTHON), (Start, "assert ", 1, PYTHON),
    (Start, "yield ", 2, PYTHON), (Start, "pass", 1, PYTHON), (Anywhere, "**kwargs", 3, PYTHON), (Anywhere, "*args", 2, PYTHON),
    (Anywhere, "super()", 2, PYTHON), (Anywhere, "f\"", 1, PYTHON), (Anywhere, "f'", 1, PYTHON), (Anywhere, "in range(", 3, PYTHON),
    (Start, "del ", 1, PYTHON), (Start, "global ", 1, PYTHON), (Anywhere, "np.", 2, PYTHON), (Start, "return ", 1, PYTHON),
    // Rust.
    (Start, "fn ", 5, RUST), (Anywhere, "fn ", 2, RUST), (Start, "pub ", 2, RUST), (Start, "pub fn ", 3, RUST), (Start, "pub(", 3, RUST),
    (Start, "impl", 2, RUST), (Anywhere, "let mut ", 3, RUST), (Start, "let ", 2, RUST), (Start, "use ", 1, RUST),
    (Anywhere, "::", 3, RUST), (Anywhere, "&mut ", 3, RUST), (Anywhere, "&self", 3, RUST), (Anywhere, "&str", 3, RUST),
    (Anywhere, "Some(", 2, RUST), (Anywhere, "Ok(", 3, RUST), (Anywhere, "Err(", 3, RUST), (Anywhere, ".unwrap(", 3, RUST),
    (Anywhere, "unwrap(", 2, RUST), (Anywhere, "-> ", 2, RUST), (Anywhere, "=> ", 1, RUST), (Start, "#[", 4, RUST),
    (Anywhere, "match ", 2, RUST), (Anywhere, "Self", 2, RUST), (Anywhere, "!(", 1, RUST), (Anywhere, "![", 2, RUST),
    (Anywhere, "mut ", 2, RUST), (Anywhere, "u8", 1, RUST), (Anywhere, "u32", 1, RUST), (Anywhere, "u64", 1, RUST),
    (Anywhere, "usize", 2, RUST), (Anywhere, "i32", 1, RUST), (End, ")?;", 4, RUST), (Anywhere, "?;", 2, RUST),
    (Anywhere, "if let ", 3, RUST), (Anywhere, "dyn ", 2, RUST), (Anywhere, "where", 1, RUST), (Anywhere, "assert_eq!", 3, RUST),
    (Anywhere, "vec!", 3, RUST), (Anywhere, "format!", 3, RUST), (Anywhere, "println!", 4, RUST), (Anywhere, "<'", 3, RUST),
    (Anywhere, "self.", 1, RUST), (Anywhere, "Vec<", 3, RUST), (Anywhere, "Option<", 3, RUST), (Anywhere, "Result<", 3, RUST),
    (Anywhere, "|_|", 3, RUST), (Anywhere, "crate", 1, RUST), (Start, "mod ", 1, RUST), (Anywhere, "..=", 2, RUST),
    (Start, "struct ", 1, RUST), (Start, "enum ", 1, RUST), (Start, "trait ", 2, RUST), (Anywhere, "for ", 0, RUST),
    // JavaScript and TypeScript.
    (Start, "const ", 2, JS), (Start, "let ", 2, JS), (Start, "var ", 2, JS), (Start, "function ", 4, JS), (Anywhere, "function(", 4, JS),
    (Anywhere, "function (", 4, JS), (Anywhere, "=> {", 1, JS), (Anywhere, ") => ", 2, JS), (Anywhere, "===", 4, JS),
    (Anywhere, "!==", 4, JS), (Anywhere, "require(", 3, JS), (Start, "export ", 4, JS), (Anywhere, "console.", 4, JS),
    (Anywhere, "document.", 3, JS), (Anywhere, "window.", 3, JS), (Anywhere, "this.", 1, JAVA_JS), (Anywhere, "await ", 1, JS),
    (Start, "async ", 1, JS), (Start, "async function ", 4, JS), (Anywhere, "undefined", 2, JS), (Anywhere, "null", 1, JAVA_JS),
    (Anywhere, "typeof ", 3, JS), (Anywhere, "new ", 1, JAVA_JS), (Anywhere, "module.exports", 5, JS), (Start, "import {", 4, JS),
    (Anywhere, "from '", 3, JS), (Anywhere, "from \"", 3, JS), (Anywhere, "${", 1, JS), (Anywhere, "});", 2, JS),
    (Anywhere, "Math.", 1, JAVA_JS), (Anywhere, ".length", 1, JAVA_JS), (Anywhere, "JSON.", 3, JS), (Anywhere, "Object.", 2, JS),
    (Anywhere, ": string", 4, TS), (Anywhere, ": number", 4, TS), (Anywhere, ": boolean", 4, TS), (Anywhere, ": void", 4, TS),
    (Anywhere, ": any", 4, TS), (Anywhere, "Promise<", 4, TS), (Start, "interface ", 2, TS), (Start, "export interface ", 4, TS),
    (Start, "type ", 1, TS), (Start, "export type ", 4, TS), (Anywhere, "readonly ", 3, TS), (Anywhere, "?: ", 3, TS),
    (Anywhere, "as const", 3, TS), (Anywhere, "Array<", 3, TS), (Anywhere, "Record<", 4, TS), (Anywhere, "unknown", 1, TS),
    (Anywhere, "</", 3, JSX), (Anywhere, "/>", 3, JSX), (Anywhere, "className=", 4, JSX), (Anywhere, "useState", 3, JSX),
    (Anywhere, "React.", 3, JSX), (Anywhere, "ReactNode", 4, TSX), (Anywhere, "React.FC", 5, TSX), (Anywhere, "JSX.", 5, TSX),
    // Java.
    (Start, "public ", 4, JAVA), (Start, "private ", 3, JAVA), (Start, "protected ", 3, JAVA), (Start, "@Override", 5, JAVA),
    (Start, "import java", 5, JAVA), (Start, "package ", 1, JAVA), (Anywhere, "System.", 3, JAVA), (Anywhere, "String ", 3, JAVA),
    (Anywhere, "throws ", 3, JAVA), (Start, "final ", 3, JAVA), (Anywhere, "throw new ", 2, JAVA_JS), (Anywhere, "extends ", 1, JAVA_JS),
    (Anywhere, "implements ", 2, JAVA), (Anywhere, "boolean ", 3, JAVA), (Anywhere, "List<", 3, JAVA), (Anywhere, "Map<", 2, JAVA),
    (Anywhere, "int ", 2, JAVA_C), (Anywhere, "void ", 2, JAVA_C), (Anywhere, "static ", 1, JAVA_C), (Anywhere, "char ", 1, JAVA_C),
    (Anywhere, "double ", 2, JAVA_C), (Anywhere, "float ", 2, JAVA_C), (Anywhere, "long ", 1, JAVA_C), (Start, "else if (", 1, CURLY),
    (Start, "} else", 2, CURLY), (Start, "if (", 2, JAVA_C), (Start, "if (", 2, JS), (Start, "for (", 2, JAVA_C), (Start, "for (", 2, JS),
    (Start, "while (", 1, JAVA_C), (Start, "while (", 1, JS), (Start, "switch (", 2, JAVA_C), (Start, "switch (", 2, JS),
    (Start, "case ", 1, JAVA_C), (Start, "case ", 1, JS), (Anywhere, "i++", 1, JAVA_C), (Anywhere, "i++", 1, JS),
    // Go.
    (Start, "func ", 5, GO), (Anywhere, "func(", 3, GO), (Start, "package ", 3, GO), (Anywhere, ":= ", 3, GO), (Start, "import (", 5, GO),
    (Anywhere, "err != nil", 5, GO), (Anywhere, "nil", 2, GO), (Start, "defer ", 4, GO), (Anywhere, "chan ", 3, GO),
    (Anywhere, "fmt.", 3, GO), (Anywhere, "struct {", 2, GO), (Anywhere, "interface {", 2, GO), (Anywhere, "range ", 2, GO),
    (Start, "go func", 4, GO), (Anywhere, "[]byte", 4, GO), (Anywhere, "[]string", 4, GO), (Anywhere, "map[", 4, GO),
    (Anywhere, "make(", 2, GO), (Anywhere, "append(", 2, GO), (Anywhere, "string)", 1, GO), (Start, "type ", 1, GO),
    // C and C++.
    (Start, "static ", 1, C), (Start, "int ", 1, C), (Start, "void ", 1, C), (Start, "{", 1, C),
    (Start, "#include", 6, C), (Start, "#define ", 5, C), (Start, "#ifdef ", 5, C), (Start, "#ifndef ", 5, C), (Start, "#endif", 5, C),
    (Start, "#if ", 3, C), (Anywhere, "printf(", 2, C), (Anywhere, "NULL", 3, C), (Start, "struct ", 1, C), (Start, "typedef ", 5, C),
    (Anywhere, "sizeof", 4, C), (Anywhere, "char *", 5, C), (Anywhere, "void *", 5, C), (Anywhere, "int *", 5, C), (Anywhere, "unsigned ", 4, C),
    (Anywhere, "size_t", 3, C), (Anywhere, "uint", 1, C), (Anywhere, "->", 1, C), (Anywhere, "malloc(", 4, C), (Anywhere, "free(", 2, C),
    (Anywhere, "extern ", 1, C), (Anywhere, "const char", 4, C), (Anywhere, "struct ", 1, C), (Start, "static inline ", 3, C),
    (Anywhere, "goto ", 1, C), (Anywhere, "_t ", 1, C), (Anywhere, "strlen(", 3, C), (Anywhere, "memcpy(", 3, C),
    (Anywhere, "std::", 6, CPP), (Start, "namespace ", 4, CPP), (Start, "template<", 5, CPP), (Start, "template <", 5, CPP),
    (Start, "public:", 4, CPP), (Start, "private:", 4, CPP), (Anywhere, "cout <<", 5, CPP), (Anywhere, "nullptr", 4, CPP),
    (Anywhere, "auto ", 3, CPP), (Anywhere, "virtual ", 4, CPP), (Anywhere, "::", 2, CPP), (Anywhere, "const auto", 3, CPP),
    (Anywhere, "static_cast<", 5, CPP), (Start, "using ", 3, CPP), (Anywhere, "override", 2, CPP), (Anywhere, "constexpr ", 4, CPP),
    (Anywhere, "operator", 1, CPP), (Anywhere, "unique_ptr", 3, CPP), (Anywhere, "vector<", 4, CPP), (Anywhere, "noexcept", 4, CPP),
    (Anywhere, "& ", 1, CPP), (Anywhere, "string&", 3, CPP), (Start, "delete ", 1, CPP),
];

/// The evidence by first byte.
static BY_FIRST_BYTE: LazyLock<Vec<Vec<usize>>> = LazyLock::new(|| {
    let mut table = vec![Vec::new(); 256];
    for (idx, (_, text, _, _)) in EVIDENCE.iter().enumerate() {
        table[usize::from(text.as_bytes()[0])].push(idx);
    }
    table
});

/// Words that begin a line of code more often than one of prose, small as they are.
const STATEMENT_WORDS: [&str; 19] = [
    "return", "assert", "if", "elif", "else", "for", "while", "yield", "raise", "lambda", "not", "and", "or", "in",
    "is", "global", "import", "del", "async",
];

/// Words that hold sentences together and stand alone in no code.
const FUNCTION_WORDS: [&str; 22] = [
    "the", "The", "of", "to", "that", "which", "are", "was", "be", "by", "an", "at", "on", "can", "may", "must", "der",
    "die", "und", "den", "des", "ist",
];

/// The comment, or the documentation, that a line stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comment {
    No,
    /// Up to the closing mark.
    Until(&'static str),
}

impl Comment {
    /// Takes a line that is a comment, or part of one.
    fn takes(&mut self, line: &str) -> bool {
        if let Self::Until(close) = *self {
            if line.contains(close) {
                *self = Self::No;
            }
            return true;
        }
        for (open, close) in
            [("/*", "*/"), ("\"\"\"", "\"\"\""), ("r\"\"\"", "\"\"\""), ("'''", "'''"), ("u\"\"\"", "\"\"\"")]
        {
            if let Some(rest) = line.strip_prefix(open) {
                if !rest.contains(close) {
                    *self = Self::Until(close);
                }
                return true;
            }
        }
        // A string that begins within the line: the line is code, what follows is not.
        if line.matches("\"\"\"").count() == 1 {
            *self = Self::Until("\"\"\"");
            return false;
        }
        if line.rsplit_once("r#\"").is_some_and(|(_, string)| !string.contains("\"#")) {
            *self = Self::Until("\"#");
            return false;
        }
        line.starts_with("//") || is_hash_comment(line)
    }
}

/// Tells whether a line is a comment of Python, and no directive of C, attribute of Rust or heading.
fn is_hash_comment(line: &str) -> bool {
    let Some(comment) = line.strip_prefix('#') else { return false };
    let is_directive = ["include", "define", "if", "endif", "el", "pragma", "undef", "error"];
    !comment.starts_with(['#', '[', '!']) && !is_directive.iter().any(|directive| comment.starts_with(directive))
}

/// What the lines seen so far say.
#[derive(Debug, Default)]
struct Tally {
    weights: [u32; N_LANGUAGES],
    code_bytes: usize,
    prose_bytes: usize,
    all_bytes: usize,
    n_fences: usize,
}

impl Tally {
    fn count_shebang(&mut self, line: &str) {
        for (word, language) in
            [("python", Language::Python), ("node", Language::JavaScript), ("deno", Language::TypeScript)]
        {
            if line.contains(word) {
                self.weights[language as usize] += 4 * LINE_WEIGHT_MAX;
            }
        }
    }

    fn count(&mut self, line: &str) {
        if line.starts_with("```") || line.starts_with("~~~") {
            self.n_fences += 1;
            return;
        }
        self.all_bytes += line.len();
        let weights = weigh_line(line);
        let best = weights.iter().copied().max().unwrap_or(0);
        if is_prose_line(line) && best < CODE_LINE_WEIGHT_MIN {
            self.prose_bytes += line.len();
            return;
        }
        if best > 0 || has_code_marks(line) {
            self.code_bytes += line.len();
        }
        for (sum, weight) in self.weights.iter_mut().zip(weights) {
            *sum += weight.min(LINE_WEIGHT_MAX);
        }
    }

    fn decide(&self) -> Detected {
        let mut best = Language::Text;
        for language in Language::ALL {
            // The first of equals: what speaks for two alike is the plainer one.
            if self.weights[language as usize] > self.weights[best as usize] {
                best = language;
            }
        }
        let weight = self.weights[best as usize];
        let is_prose = self.n_fences > 0
            || weight < WEIGHT_MIN
            || PROSE_FACTOR * self.prose_bytes > self.code_bytes
            || CODE_FACTOR * self.code_bytes < self.all_bytes;
        if is_prose {
            let code_share = self.code_bytes as f32 / self.all_bytes.max(1) as f32;
            return Detected { language: Language::Text, confidence: 1.0 - code_share / 2.0 };
        }
        let rival = Language::ALL
            .iter()
            .filter(|&&language| !is_family(language, best))
            .map(|&other| self.weights[other as usize]);
        let rival = rival.max().unwrap_or(0);
        Detected { language: best, confidence: 1.0 - rival as f32 / (2 * weight).max(1) as f32 }
    }
}

/// Tells whether two languages share a lexer, so that it hardly matters which of them a text is.
fn is_family(a: Language, b: Language) -> bool {
    let family = |language| match language {
        Language::TypeScript | Language::Tsx => Language::JavaScript,
        Language::Cpp => Language::C,
        other => other,
    };
    family(a) == family(b)
}

/// Returns what a line says for each language.
fn weigh_line(line: &str) -> [u32; N_LANGUAGES] {
    let mut weights = [0; N_LANGUAGES];
    let bytes = line.as_bytes();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut seen = [0_u64; EVIDENCE.len().div_ceil(64)];
    for (at, &byte) in bytes.iter().enumerate() {
        if at > 0 && is_word(byte) && is_word(bytes[at - 1]) {
            continue;
        }
        for &idx in &BY_FIRST_BYTE[usize::from(byte)] {
            let (place, text, weight, languages) = EVIDENCE[idx];
            let is_there = match place {
                Start => at == 0,
                End => at + text.len() == bytes.len(),
                Anywhere => true,
            };
            let bit = 1 << (idx % 64);
            if is_there && bytes[at..].starts_with(text.as_bytes()) && seen[idx / 64] & bit == 0 {
                seen[idx / 64] |= bit;
                for &language in languages {
                    weights[language as usize] += weight;
                }
            }
        }
    }
    weights[Language::Python as usize] += weigh_python_statement(line);
    weights
}

/// Returns what the form of a whole line says for Python: imports, and assignments that nothing but the line ends.
fn weigh_python_statement(line: &str) -> u32 {
    if line.starts_with("from ") && line.contains(" import ") && !line.ends_with(';') {
        return 4;
    }
    let is_target = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    let is_assignment = line.split_once(" = ").is_some_and(|(name, _)| is_target(name)) && !line.ends_with([';', ',']);
    u32::from(is_assignment)
}

/// Tells whether a line holds a mark that prose has not: a call, an assignment, an operator, a bracket at its end.
fn has_code_marks(line: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_field = line.ends_with(',') && line.split_once(": ").is_some_and(|(name, _)| name.bytes().all(is_name));
    is_field
        || line.contains('=')
        || line.ends_with(['(', '[', ']', '{', '}', ';', '\\', '|', '&', '+'])
        || line.starts_with([')', ']', '}', '.', '"', '\'', '@', '&', '|'])
        || ["()", "](", ").", "->", "::", "&&", "||"].iter().any(|mark| line.contains(mark))
        || line.as_bytes().windows(2).any(|pair| is_name(pair[0]) && matches!(pair[1], b'(' | b'['))
}

/// Tells whether a line is prose: words in a row, or nothing but words, or what ends as a sentence does, or letters beside
/// ASCII. What stands in quotes does not count.
fn is_prose_line(line: &str) -> bool {
    let n_other = line.bytes().filter(|&byte| byte >= 0xE0).count();
    if line.starts_with("![") || line.starts_with("- [") {
        return true;
    }
    if 6 * n_other > line.len() && !line.contains(['"', '\'']) {
        return true;
    }
    let mut unquoted = String::with_capacity(line.len());
    push_unquoted(line, &mut unquoted);
    let comment = [" # ", " #", " //", "/*"].iter().filter_map(|mark| unquoted.find(mark)).min();
    let line = unquoted[..comment.unwrap_or(unquoted.len())].trim();
    let is_statement = line.split_ascii_whitespace().next().is_some_and(|first| STATEMENT_WORDS.contains(&first));
    let is_import = line.starts_with("from ") && line.contains(" import ");
    if (is_statement || is_import) && !line.ends_with('.') {
        return false;
    }
    let is_plain = |word: &str| {
        let word = word.trim_end_matches([',', '.', ':', ';', '!', '?']).trim_start_matches('(').trim_end_matches(')');
        !word.is_empty() && word.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '’' | '-'))
    };
    let (mut n_in_row, mut n_in_row_max, mut n_words, mut n_plain, mut n_function_words) = (0, 0, 0, 0, 0);
    for word in line.split_ascii_whitespace() {
        n_words += 1;
        n_in_row = if is_plain(word) { n_in_row + 1 } else { 0 };
        n_plain += usize::from(n_in_row > 0);
        n_in_row_max = n_in_row_max.max(n_in_row);
        n_function_words += usize::from(FUNCTION_WORDS.contains(&word));
    }
    if n_function_words == 0 && has_code_marks(line) {
        return false;
    }
    n_in_row_max >= PROSE_WORDS_MIN
        || n_plain >= 2 && (n_plain == n_words || n_function_words > 0)
        || n_words >= 2 && line.ends_with('.') && !line.ends_with("..")
}

/// Adds what of a line does not stand in quotes.
fn push_unquoted(line: &str, out: &mut String) {
    let mut quote = None;
    let (mut before, mut n_letters) = (' ', 0);
    for c in line.chars() {
        match quote {
            Some(open) if c == open && before != '\\' => quote = None,
            Some(_) => {}
            // An apostrophe stands behind a letter, other than those that stand before strings.
            None if c == '"' || c == '`' => quote = Some(c),
            None if c == '\'' && (n_letters == 0 || n_letters <= 2 && "fbru".contains(before)) => quote = Some(c),
            None => out.push(c),
        }
        n_letters = if c.is_alphanumeric() { n_letters + 1 } else { 0 };
        before = c;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(language: Language, samples: &[&str]) {
        for sample in samples {
            assert_eq!(detect(sample).language, language, "{sample}");
        }
    }

    #[test]
    #[rustfmt::skip]
    fn single_functions_tell_their_language() {
        check(Language::Python, &[
            "def area(w, h):\n    return w * h\n",
            "@cache\ndef load(path):\n    \"\"\"Load the file of the user and return it.\"\"\"\n    with open(path) as f:\n        return f.read()\n",
            "for row in rows:\n    if row is None:\n        continue\n    print(row)\n",
            "class Stack:\n    def __init__(self):\n        self.items = []\n",
        ]);
        check(Language::Rust, &[
            "fn area(w: u32, h: u32) -> u32 {\n    w * h\n}\n",
            "pub fn load(path: &Path) -> io::Result<String> {\n    let mut text = String::new();\n    File::open(path)?.read_to_string(&mut text)?;\n    Ok(text)\n}\n",
            "impl Shape for Square {\n    fn area(&self) -> f64 {\n        self.side * self.side\n    }\n}\n",
        ]);
        check(Language::JavaScript, &[
            "function area(w, h) {\n  return w * h;\n}\n",
            "const load = async (path) => {\n  const text = await fetch(path);\n  if (text === null) {\n    console.log('none');\n  }\n};\n",
        ]);
        check(Language::TypeScript, &[
            "export function area(w: number, h: number): number {\n  return w * h;\n}\n",
            "interface User {\n  readonly name: string;\n  age?: number;\n}\n",
        ]);
        check(Language::Tsx, &[
            "export function Title(props: { text: string }): JSX.Element {\n  const [n, setN] = useState<number>(0);\n  return <h1 className=\"t\">{props.text}</h1>;\n}\n",
        ]);
        check(Language::Java, &[
            "public int area(int w, int h) {\n    return w * h;\n}\n",
            "@Override\npublic String toString() {\n    return \"Square \" + this.side;\n}\n",
        ]);
        check(Language::Go, &[
            "func area(w, h int) int {\n\treturn w * h\n}\n",
            "func load(path string) ([]byte, error) {\n\tf, err := os.Open(path)\n\tif err != nil {\n\t\treturn nil, err\n\t}\n\tdefer f.Close()\n\treturn io.ReadAll(f)\n}\n",
        ]);
        check(Language::C, &[
            "static int area(int w, int h)\n{\n    return w * h;\n}\n",
            "#include <stdio.h>\n\nint main(void) {\n    printf(\"hello\\n\");\n    return 0;\n}\n",
        ]);
        check(Language::Cpp, &[
            "template <typename T>\nstd::vector<T> twice(const std::vector<T>& v) {\n    auto w = v;\n    w.insert(w.end(), v.begin(), v.end());\n    return w;\n}\n",
        ]);
    }

    #[test]
    #[rustfmt::skip]
    fn prose_with_words_of_code_is_prose() {
        check(Language::Text, &[
            "",
            "Return to sender.",
            "If you return the book for a while, I will let you use it as long as you want.\nThis is not a class for everyone; it is for those who try.",
            "while we wait for the import of goods from abroad,\nthe public assert that private trade is static\nand try to break the case.",
            "Call `f(x)` to get the result.\n\n```python\ndef f(x):\n    return x\n```\n",
            "# Heading\n\n- one thing\n- another thing\n\nThe end of the list of things.",
            "Das Gesetz ist, wenn nichts anderes bestimmt ist, für alle gültig.",
            "如果你想返回，请使用这个函数。",
        ]);
    }

    #[test]
    fn a_shebang_counts() {
        check(Language::Python, &["#!/usr/bin/env python3\nmain()\n"]);
        check(Language::JavaScript, &["#!/usr/bin/env node\nmain()\n"]);
    }
}
