//! Made-up functions in Python and Rust, all different, whose own names can be chosen.

use std::fmt::Write as _;

use copytrace_indexer::language::Language;

use crate::corpora::Random;

/// Letters that have look-alikes in other scripts.
const SYLLABLES: [&str; 12] = ["pa", "co", "xe", "ry", "si", "ho", "ja", "te", "ma", "ki", "on", "ed"];
/// How made-up words end: those of libraries, then those of each [`Spelling`]. No keyword ends so.
const ENDINGS: [&str; 3] = ["al", "us", "im"];
const STATEMENTS: usize = 14;
const DEPTH_MAX: usize = 2;

/// Which names a function gives to what is its own. Two spellings have no name in common.
#[derive(Clone, Copy)]
pub(crate) enum Spelling {
    First = 1,
    Second = 2,
}

/// A function of 14 statements.
pub(crate) struct Function {
    /// Its code.
    pub(crate) text: String,
    /// Its own name, its parameters and variables. The one at the same place of another spelling is the same variable.
    pub(crate) own_names: Vec<String>,
}

/// Makes function `n`.
pub(crate) fn function(n: usize, language: Language, spelling: Spelling) -> Function {
    let mut maker = Maker {
        language,
        spelling,
        // One stream each, so that spellings differ in nothing else.
        shape: Random(n as u64),
        letters: Random(n as u64 ^ 0x6E61_6D65 << 32),
        function: Function { text: String::new(), own_names: Vec::new() },
        in_scope: Vec::new(),
        depth: 1,
    };
    maker.write();
    maker.function
}

/// Applies a change to every word that [`function`] made up, and to no keyword.
pub(crate) fn change_names(text: &str, change: impl Fn(&str) -> String) -> String {
    let is_border = |c: char| !c.is_ascii_alphanumeric();
    let words = text.split_inclusive(is_border).map(|piece| {
        let word = piece.trim_end_matches(is_border);
        let is_made_up = ENDINGS.iter().any(|ending| word.ends_with(ending));
        if is_made_up { change(word) + &piece[word.len()..] } else { piece.to_owned() }
    });
    words.collect()
}

struct Maker {
    language: Language,
    spelling: Spelling,
    shape: Random,
    letters: Random,
    function: Function,
    in_scope: Vec<String>,
    depth: usize,
}

impl Maker {
    fn word(&mut self, ending: &str) -> String {
        let n_syllables = self.letters.between(2, 3);
        let syllables: String = (0..n_syllables).map(|_| SYLLABLES[self.letters.below(SYLLABLES.len())]).collect();
        syllables + ending
    }

    /// A name of a library.
    fn api(&mut self) -> String {
        self.word(ENDINGS[0])
    }

    /// A new name of the function's own.
    fn own(&mut self) -> String {
        loop {
            let name = self.word(ENDINGS[self.spelling as usize]);
            if !self.function.own_names.contains(&name) {
                self.function.own_names.push(name.clone());
                return name;
            }
        }
    }

    /// A variable that there is already.
    fn old(&mut self) -> String {
        self.in_scope[self.shape.below(self.in_scope.len())].clone()
    }

    fn one_of(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.shape.below(choices.len())]
    }

    fn line(&mut self, line: &str) {
        writeln!(self.function.text, "{}{line}", "    ".repeat(self.depth)).unwrap();
    }

    fn write(&mut self) {
        let (name, parameters) = (self.own(), [self.own(), self.own(), self.own()]);
        let [a, b, c] = &parameters;
        let (kind, result) = (self.api(), self.api());
        self.function.text = match self.language {
            Language::Python => format!("def {name}({a}, {b}, {c}=None):\n"),
            _ => format!("fn {name}({a}: &mut {kind}, {b}: {kind}, {c}: usize) -> {result} {{\n"),
        };
        self.in_scope.extend(parameters);
        let mut n_written = 0;
        while n_written < STATEMENTS {
            n_written += self.statement();
        }
        let (a, b, api) = (self.old(), self.old(), self.api());
        match self.language {
            Language::Python => self.line(&format!("return {a}.{api}({b})")),
            _ => self.line(&format!("{a}.{api}(&{b})")),
        }
        if self.language == Language::Rust {
            self.function.text.push_str("}\n");
        }
    }

    /// Writes a statement and what is in it; returns how many there are.
    fn statement(&mut self) -> usize {
        let is_python = self.language == Language::Python;
        let (a, b, api, member) = (self.old(), self.old(), self.api(), self.api());
        let operator = self.one_of(&["+", "-", "*", "/", "%"]);
        let order = self.one_of(&["<", ">", "<=", ">=", "!="]);
        let number = self.shape.between(2, 400);
        let n_kinds = if self.depth > DEPTH_MAX { 6 } else { 9 };
        match (self.shape.below(n_kinds), is_python) {
            (0, true) => self.assign(&format!("{api}({a}, {b}, {member}={number})")),
            (0, false) => self.assign(&format!("{api}({a}, &{b}.{member}, {number})")),
            (1, _) => self.assign(&format!("{a}.{member} {operator} {number}")),
            (2, true) => {
                let item = self.own();
                self.assign(&format!("[{item}.{member} for {item} in {a} if {item}.{api} {order} {number}]"));
            }
            (2, false) => {
                let item = self.own();
                self.assign(&format!("{a}.iter().filter(|{item}| {item}.{api} {order} {number}).{member}()"));
            }
            (3, true) => {
                let item = self.own();
                self.assign(&format!("lambda {item}: {item}.{member}({a} {operator} {number})"));
            }
            (3, false) => {
                let item = self.own();
                self.assign(&format!("|{item}: {api}| {item}.{member}({a} {operator} {number})"));
            }
            (4, _) => self.line(&format!("{a}.{member}({b}, \"{api} {number}\"){}", if is_python { "" } else { ";" })),
            (5, _) => {
                let c = self.old();
                let end = if is_python { "" } else { ";" };
                self.line(&format!("{a}[{b}.{member}] = {c} {operator} {b}{end}"));
            }
            (6, _) => return self.block(&format!("if {a}.{member}({b}) {order} {number}"), None),
            (7, _) => {
                let item = self.own();
                return self.block(&format!("for {item} in {a}.{member}({b})"), Some(item));
            }
            _ => return self.block(&format!("while {a}.{member} {order} {b}.{api}"), None),
        }
        1
    }

    fn assign(&mut self, value: &str) {
        let name = self.own();
        match self.language {
            Language::Python => self.line(&format!("{name} = {value}")),
            _ => self.line(&format!("let {name} = {value};")),
        }
        self.in_scope.push(name);
    }

    fn block(&mut self, head: &str, variable: Option<String>) -> usize {
        let n_outside = self.in_scope.len();
        self.in_scope.extend(variable);
        self.line(&format!("{head}{}", if self.language == Language::Python { ":" } else { " {" }));
        self.depth += 1;
        let n_inside: usize = (0..2).map(|_| self.statement()).sum();
        self.depth -= 1;
        if self.language == Language::Rust {
            self.line("}");
        }
        self.in_scope.truncate(n_outside);
        1 + n_inside
    }
}
