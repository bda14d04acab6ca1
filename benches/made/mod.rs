//! Made-up code for benches: statements and expressions drawn at random, the names of each origin its own; the same every time.

use std::fmt::Write as _;

use copytrace_indexer::corpus::{Attributes, Document};
use copytrace_indexer::language::Language;

use crate::prose::{Random, prose};

const N_ORIGINS: u64 = 60;

pub(crate) fn below(random: &mut Random, n: usize) -> usize {
    usize::try_from(random.next() >> 33).expect("31 bits") % n
}

/// Made-up code: documents of ten functions, the names of each origin its own.
pub(crate) fn make_corpora(bytes: usize) -> Vec<Document> {
    let mut random = Random::new(1);
    let (mut documents, mut n_bytes) = (Vec::new(), 0);
    for n in 0.. {
        let (origin, language) = (n % N_ORIGINS, if n % 2 == 0 { Language::Python } else { Language::Rust });
        let text: String = (0..10).map(|_| function(&mut random, origin, language)).collect();
        n_bytes += text.len();
        let attributes = Attributes {
            origin: format!("origin{origin}"),
            language: language.name().to_owned(),
            ..Attributes::default()
        };
        documents.push(Document { id: format!("d{n}"), text, attributes });
        if n_bytes >= bytes {
            break;
        }
    }
    documents
}

/// A name of an origin: one of some 300 of its own, made of two words.
fn name(random: &mut Random, origin: u64) -> String {
    let mut own = Random::new((origin << 32) | (random.next() % 300));
    let words = prose(&mut own, 12).to_lowercase();
    let letters: Vec<&str> = words.split(|c: char| !c.is_ascii_lowercase()).filter(|word| word.len() > 2).collect();
    format!("{}_{}", letters.first().unwrap_or(&"any"), letters.last().unwrap_or(&"name"))
}

/// An expression that both languages read, of at most so many levels.
fn expression(random: &mut Random, origin: u64, locals: &[String], n_levels: usize) -> String {
    let local = &locals[below(random, locals.len())];
    let kind = below(random, if n_levels == 0 { 3 } else { 9 });
    let mut inner = || expression(random, origin, locals, n_levels - 1);
    match kind {
        0 | 1 => local.clone(),
        2 => below(random, 1_000).to_string(),
        3 => format!("{} + {}", inner(), inner()),
        4 => format!("({} - {}) * {}", inner(), inner(), inner()),
        5 => format!("{local}[{}]", inner()),
        6 => {
            let argument = inner();
            format!("{local}.{}({argument})", name(random, origin))
        }
        7 => {
            let (first, second) = (inner(), inner());
            format!("{}({first}, {second})", name(random, origin))
        }
        _ => format!("{local}.{} == \"{}\"", name(random, origin), name(random, origin)),
    }
}

/// A function of 8 to 80 lines.
fn function(random: &mut Random, origin: u64, language: Language) -> String {
    let is_python = language == Language::Python;
    let mut locals: Vec<String> = (0..3).map(|_| name(random, origin)).collect();
    let (title, comment) = (name(random, origin), prose(random, 60).replace('\n', " "));
    let mut code = if is_python {
        format!("def {title}(self, {}):\n    # {comment}\n", locals.join(", "))
    } else {
        format!("pub fn {title}(&self, {}: usize) -> usize {{\n    // {comment}\n", locals.join(": usize, "))
    };
    let n_lines = 8 + below(random, 72);
    let mut depth = 1;
    while code.lines().count() < n_lines {
        let indent = "    ".repeat(depth);
        let (a, b) = (expression(random, origin, &locals, 2), expression(random, origin, &locals, 2));
        let (old, new) = (locals[below(random, locals.len())].clone(), name(random, origin));
        let (end, open) = if is_python { ("", ":") } else { (";", " {") };
        let statement = match below(random, 10) {
            0..=2 => format!("{}{new} = {a}", if is_python { "" } else { "let " }) + end,
            3 => format!("{old} += {a}{end}"),
            4 => format!("{old}.{}({a}, {b}){end}", name(random, origin)),
            5 => format!("return {a}{end}"),
            6 => format!("for {new} in {a}{open}"),
            7 => format!("while {a} > {b}{open}"),
            8 => format!("if {a} < {b}{open}"),
            _ => format!("{old}[{a}] = {b}{end}"),
        };
        let opens = statement.ends_with(open);
        if statement.contains(&new) && !statement.starts_with("return") {
            locals.push(new);
        }
        let _ = writeln!(code, "{indent}{statement}");
        if opens {
            depth += 1;
        } else if depth > 1 && below(random, 2) == 0 {
            depth -= 1;
            if !is_python {
                let _ = writeln!(code, "{}}}", "    ".repeat(depth));
            }
        }
    }
    let indent = "    ".repeat(depth);
    if is_python {
        let _ = writeln!(code, "{indent}return {}\n\n", locals[0]);
    } else {
        let _ = writeln!(code, "{indent}{}", locals[0]);
        for depth in (0..depth).rev() {
            let _ = writeln!(code, "{}}}", "    ".repeat(depth));
        }
        code.push('\n');
    }
    code
}
