//! JavaScript and TypeScript.

// What its tokens look like.

use super::lexicon::{BlockComment, Content, Delimited, Lexicon, Quote, Reach};

/// The tokens of JavaScript and of TypeScript, with and without JSX. Words that only TypeScript knows (`type`,
/// `readonly`) are names, as they are in JavaScript.
#[rustfmt::skip]
pub static LEXICON: Lexicon = Lexicon {
    keywords: &[
        "async", "await", "break", "case", "catch", "class", "const", "continue", "debugger", "default", "delete", "do",
        "else", "enum", "export", "extends", "false", "finally", "for", "function", "if", "implements", "import", "in",
        "instanceof", "interface", "let", "new", "null", "of", "private", "protected", "public", "return", "static",
        "super", "switch", "this", "throw", "true", "try", "typeof", "undefined", "var", "void", "while", "with", "yield",
    ],
    value_keywords: &["false", "null", "super", "this", "true", "undefined"],
    marks: &[
        ">>>=", "...", "===", "!==", "**=", "<<=", ">>=", ">>>", "&&=", "||=", "??=", "=>", "==", "!=", "<=", ">=", "&&",
        "||", "??", "?.", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<", ">>", "**",
    ],
    line_comment: "//",
    block_comment: Some(BlockComment { open: "/*", close: "*/", nests: false }),
    quotes: &[
        Quote { mark: "\"", reach: Reach::Line, has_escapes: true, canonical: '"', content: Content::Plain },
        Quote { mark: "'", reach: Reach::Line, has_escapes: true, canonical: '"', content: Content::Plain },
        Quote { mark: "`", reach: Reach::Lines, has_escapes: true, canonical: '"', content: Content::Template },
    ],
    prefixes: &[],
    delimited: Delimited::No,
    name_marks: "$",
    digit_separator: b'_',
    zero_means_octal: true,
    letters_follow_dot: true,
    dot_begins_number: true,
    joins_strings: false,
    statements: None,
    has_lifetimes: false,
    has_regexes: true,
};

// What the nodes of its grammar mean.

#[cfg(any(feature = "javascript", feature = "typescript"))]
use super::grammar::{Grammar, Place, Scope, Trait, Visibility};

/// The nodes of JavaScript, JSX and TypeScript and what they mean; each grammar ignores those that it does not have.
#[cfg(any(feature = "javascript", feature = "typescript"))]
const fn grammar(parser: fn() -> tree_sitter::Language) -> Grammar {
    Grammar {
        parser,
        kinds: KINDS,
        places: PLACES,
        visibility: Visibility::Hoisted,
        capitals_are_constants: false,
        receivers: &[],
        common_aliases: &[],
        format_macros: &[],
        set_attribute: None,
        wrappers: &[("class _ {", "}"), ("async function* _() {", "}")],
    }
}

/// JavaScript with JSX.
#[cfg(feature = "javascript")]
pub(crate) static JAVASCRIPT: Grammar = grammar(|| tree_sitter_javascript::LANGUAGE.into());

/// TypeScript without JSX.
#[cfg(feature = "typescript")]
pub(crate) static TYPESCRIPT: Grammar = grammar(|| tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into());

/// TypeScript with JSX.
#[cfg(feature = "typescript")]
pub(crate) static TSX: Grammar = grammar(|| tree_sitter_typescript::LANGUAGE_TSX.into());

#[cfg(any(feature = "javascript", feature = "typescript"))]
const KINDS: &[(&str, &[Trait])] = &[
    ("program", &[Trait::Scope(Scope::Module), Trait::Through]),
    ("comment", &[Trait::Drop]),
    ("html_comment", &[Trait::Drop]),
    ("hash_bang_line", &[Trait::Drop]),
    ("empty_statement", &[Trait::Drop]),
    ("accessibility_modifier", &[Trait::Drop]),
    ("override_modifier", &[Trait::Drop]),
    ("parenthesized_expression", &[Trait::Through]),
    ("expression_statement", &[Trait::Through, Trait::TextStatement]),
    ("identifier", &[Trait::Name]),
    ("type_identifier", &[Trait::Name]),
    ("statement_identifier", &[Trait::Name]),
    ("property_identifier", &[Trait::Member]),
    ("private_property_identifier", &[Trait::Member]),
    ("shorthand_property_identifier", &[Trait::Shorthand("pair")]),
    ("shorthand_property_identifier_pattern", &[Trait::Shorthand("pair")]),
    ("pair_pattern", &[Trait::As("pair"), Trait::Pattern]),
    ("this", &[Trait::Receiver]),
    ("number", &[Trait::Number]),
    ("string", &[Trait::Text]),
    ("template_string", &[Trait::TextWithParts]),
    ("string_fragment", &[Trait::TextPart]),
    ("template_substitution", &[Trait::Interpolation]),
    ("object_pattern", &[Trait::As("object"), Trait::Pattern]),
    ("array_pattern", &[Trait::As("array"), Trait::Pattern]),
    ("rest_pattern", &[Trait::As("spread_element"), Trait::Pattern]),
    ("assignment_pattern", &[Trait::Pattern]),
    ("object_assignment_pattern", &[Trait::Pattern]),
    ("required_parameter", &[Trait::Through]),
    ("variable_declarator", &[Trait::Pattern]),
    ("function_declaration", &[Trait::Definition, Trait::Scope(Scope::Function)]),
    ("function_expression", &[Trait::Definition, Trait::Scope(Scope::Lambda)]),
    ("generator_function", &[Trait::Definition, Trait::Scope(Scope::Lambda)]),
    ("generator_function_declaration", &[Trait::Definition, Trait::Scope(Scope::Function)]),
    ("arrow_function", &[Trait::Definition, Trait::Scope(Scope::Lambda)]),
    ("method_definition", &[Trait::Definition, Trait::Scope(Scope::Lambda)]),
    ("class_declaration", &[Trait::Definition, Trait::Scope(Scope::Class)]),
    ("abstract_class_declaration", &[Trait::Definition, Trait::Scope(Scope::Class)]),
    ("interface_declaration", &[Trait::Definition, Trait::Scope(Scope::Item)]),
    ("enum_declaration", &[Trait::Definition, Trait::Scope(Scope::Item)]),
    ("type_alias_declaration", &[Trait::Scope(Scope::Item)]),
    ("internal_module", &[Trait::Scope(Scope::Module)]),
    ("statement_block", &[Trait::Block, Trait::Scope(Scope::Block)]),
    ("if_statement", &[Trait::Statement]),
    ("for_statement", &[Trait::Statement, Trait::Punctuated, Trait::Scope(Scope::Block)]),
    ("for_in_statement", &[Trait::Statement, Trait::Scope(Scope::Block)]),
    ("while_statement", &[Trait::Statement]),
    ("do_statement", &[Trait::Statement]),
    ("try_statement", &[Trait::Statement]),
    ("switch_statement", &[Trait::Statement]),
    ("switch_body", &[Trait::Scope(Scope::Block)]),
    ("catch_clause", &[Trait::Scope(Scope::Block)]),
    ("decorator", &[Trait::DropLoose]),
    ("type_annotation", &[Trait::DropLoose]),
    ("type_parameters", &[Trait::DropLoose]),
    ("type_arguments", &[Trait::DropLoose]),
    ("array", &[Trait::Punctuated]),
    ("binary_expression", &[Trait::Binary]),
    ("call_expression", &[Trait::Call]),
    ("new_expression", &[Trait::Call]),
    ("await_expression", &[Trait::Call]),
    ("assignment_expression", &[Trait::Call]),
    ("augmented_assignment_expression", &[Trait::Augmented("assignment_expression", "binary_expression"), Trait::Call]),
    ("import_statement", &[Trait::Import]),
    ("import_specifier", &[Trait::Through]),
];

#[cfg(any(feature = "javascript", feature = "typescript"))]
const PLACES: &[(&str, &str, Place)] = &[
    ("formal_parameters", "", Place::Parameter),
    ("required_parameter", "pattern", Place::Parameter),
    ("optional_parameter", "pattern", Place::Parameter),
    ("arrow_function", "parameter", Place::Parameter),
    ("assignment_pattern", "right", Place::Use),
    ("object_assignment_pattern", "right", Place::Use),
    ("pair_pattern", "key", Place::Key),
    ("lexical_declaration", "", Place::Declare),
    ("variable_declaration", "", Place::DeclareInFunction),
    ("variable_declarator", "value", Place::Use),
    ("variable_declarator", "type", Place::Annotation),
    ("for_in_statement", "left", Place::Declare),
    ("catch_clause", "parameter", Place::Parameter),
    ("function_declaration", "name", Place::OwnName),
    ("generator_function_declaration", "name", Place::OwnName),
    ("function_expression", "name", Place::Declare),
    ("class_declaration", "name", Place::OwnName),
    ("abstract_class_declaration", "name", Place::OwnName),
    ("interface_declaration", "name", Place::OwnName),
    ("enum_declaration", "name", Place::OwnName),
    ("type_alias_declaration", "name", Place::OwnName),
    ("type_parameter", "name", Place::Generic),
    ("method_definition", "name", Place::OwnMember),
    ("field_definition", "property", Place::OwnMember),
    ("public_field_definition", "name", Place::OwnMember),
    ("labeled_statement", "label", Place::Label),
    ("break_statement", "label", Place::Label),
    ("continue_statement", "label", Place::Label),
    ("import_statement", "", Place::Key),
    ("import_specifier", "name", Place::Key),
    ("import_specifier", "alias", Place::Alias),
    ("import_specifier", "", Place::Dropped),
];
