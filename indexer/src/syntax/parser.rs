//! Parsers with a deadline, one per language, made when first needed.

use std::ops::ControlFlow;
use std::time::Instant;

use tree_sitter::{ParseOptions, ParseState, Parser, Tree};

use super::Trouble;
use super::compiled::Compiled;
use crate::language::Language;
use crate::language::grammar::Grammar;

/// Returns the grammar of a language, if this build has it.
fn grammar_of(language: Language) -> Option<&'static Grammar> {
    match language {
        #[cfg(feature = "python")]
        Language::Python => Some(&crate::language::python::GRAMMAR),
        #[cfg(feature = "rust")]
        Language::Rust => Some(&crate::language::rust::GRAMMAR),
        #[cfg(feature = "javascript")]
        Language::JavaScript => Some(&crate::language::javascript::JAVASCRIPT),
        #[cfg(feature = "typescript")]
        Language::TypeScript => Some(&crate::language::javascript::TYPESCRIPT),
        #[cfg(feature = "typescript")]
        Language::Tsx => Some(&crate::language::javascript::TSX),
        #[cfg(feature = "java")]
        Language::Java => Some(&crate::language::java::GRAMMAR),
        #[cfg(feature = "go")]
        Language::Go => Some(&crate::language::go::GRAMMAR),
        #[cfg(feature = "c")]
        Language::C => Some(&crate::language::c::C),
        #[cfg(feature = "cpp")]
        Language::Cpp => Some(&crate::language::c::CPP),
        _ => None,
    }
}

/// Tells whether this build has the grammar of a language.
pub(super) fn has_grammar(language: Language) -> bool {
    grammar_of(language).is_some()
}

/// A language's parser and tables.
pub(super) struct Prepared {
    parser: Parser,
    pub(super) grammar: Compiled,
}

impl Prepared {
    /// Makes the parser of a language; none where this build has no grammar that it can use.
    pub(super) fn new(language: Language, key: u64) -> Option<Self> {
        let grammar = grammar_of(language)?;
        let tables = (grammar.parser)();
        let mut parser = Parser::new();
        parser.set_language(&tables).ok()?;
        Some(Self { grammar: Compiled::new(grammar, &tables, key), parser })
    }

    /// Parses a text.
    ///
    /// The deadline is looked at every hundred operations of the parser, so it may be missed by the time that those take.
    ///
    /// # Errors
    /// [`Trouble::Deadline`] where the deadline passed.
    pub(super) fn parse(&mut self, text: &[u8], deadline: Option<Instant>) -> Result<Tree, Trouble> {
        let mut progress = |_: &ParseState| match deadline {
            Some(deadline) if Instant::now() >= deadline => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let options = ParseOptions::new().progress_callback(&mut progress);
        let tree = self.parser.parse_with_options(&mut |at, _| text.get(at..).unwrap_or_default(), None, Some(options));
        if tree.is_none() {
            // Otherwise the next text would be taken for the rest of this one.
            self.parser.reset();
        }
        tree.ok_or(Trouble::Deadline)
    }
}
