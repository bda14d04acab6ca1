//! What the tables of a grammar can say: the vocabulary in which a language file describes the nodes of its syntax tree.
//!
//! A table gives kinds of nodes [`Trait`]s, and says of children [which place](Place) they take in a node of some kind. The module
//! `syntax` reads the tables; it knows traits and places, never the name of a node. What no table mentions is kept as it is: an inner node
//! as a bracket around its children, a leaf as its text.

/// What a grammar's nodes mean.
pub struct Grammar {
    /// The parser's tables.
    pub parser: fn() -> tree_sitter::Language,
    /// Traits of named nodes; a kind may stand in several rows.
    pub kinds: &'static [(&'static str, &'static [Trait])],
    /// Places of children: kind of the parent, name of the field (empty: any child of which no other row speaks), place.
    pub places: &'static [(&'static str, &'static str, Place)],
    /// How names become visible.
    pub visibility: Visibility,
    /// Tells whether a name with a first capital is a constant where a pattern could also bind it.
    pub capitals_are_constants: bool,
    /// Names of the object a method works on, where they are plain names.
    pub receivers: &'static [&'static str],
    /// Names under which everybody imports a module, and the module: a piece of code that lost its imports still means it.
    pub common_aliases: &'static [(&'static str, &'static str)],
    /// Macros whose string names variables in braces.
    pub format_macros: &'static [&'static str],
    /// The attribute whose arguments are a set.
    pub set_attribute: Option<&'static str>,
    /// What to put before and after a fragment that is no whole file: text before, text after.
    pub wrappers: &'static [(&'static str, &'static str)],
}

/// How names become visible in their scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// In the whole scope, wherever it is declared.
    Hoisted,
    /// From the end of the declaration on; a second declaration in the same scope is the same variable.
    Sequential,
    /// From the end of the declaration on; every declaration is a new variable.
    Shadowing,
}

/// What is true of all nodes of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trait {
    /// Leaves no trace; its children stand in its place.
    Through,
    /// Is left out with all that it holds.
    Drop,
    /// Is left out of the loose form.
    DropLoose,
    /// Is left out where it holds nothing but brackets.
    OmitEmpty,
    /// Is written as if it were of another kind.
    As(&'static str),
    /// A name: where it stands says which.
    Name,
    /// The name of a member: of a field, a method.
    Member,
    /// A member's name and a variable's name in one word: `{x}` for `{x: x}`. The kind that the long form has, empty where the node
    /// around both has it already.
    Shorthand(&'static str),
    /// A number.
    Number,
    /// A string; its children do not matter.
    Text,
    /// A character.
    Character,
    /// A string whose children may be expressions.
    TextWithParts,
    /// A piece of the characters of such a string.
    TextPart,
    /// An expression in such a string.
    Interpolation,
    /// Strings one after the other that mean one string.
    JoinedText,
    /// A statement that is left out where it is nothing but a string.
    TextStatement,
    /// The object a method works on.
    Receiver,
    /// Passes its own place on to its children.
    Pattern,
    /// A dotted name, which is a pattern where it has one part.
    Capture,
    /// Opens a scope.
    Scope(Scope),
    /// A definition: a function, a class.
    Definition,
    /// A definition with what is said about it from outside: its decorators.
    Decorated,
    /// A statement with a body.
    Statement,
    /// A list of statements.
    Block,
    /// Its brackets, commas and colons tell meanings apart.
    Punctuated,
    /// An operator between two operands.
    Binary,
    /// A call: may have effects, so its order matters.
    Call,
    /// An assignment that may have an operator: as kinds, the plain assignment and the operation.
    Augmented(&'static str, &'static str),
    /// Invokes a macro.
    Macro,
    /// Tokens that the parser did not understand.
    Tokens,
    /// An attribute, maybe [the one that is a set](Grammar::set_attribute).
    Attribute,
    /// A statement that brings names from elsewhere.
    Import,
    /// The last branch of a condition; where it holds nothing but another condition, both are one, whose branches begin with this keyword.
    Else(&'static str),
    /// A condition with branches.
    Condition,
    /// Has an expression where it could have a block with that expression.
    TakesExpression,
    /// An assignment `a = b`, maybe one that gives a parameter a second name.
    Assignment,
}

/// What kind of scope a node opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// That of a file or module: its names are kept where the strict form uses them.
    Module,
    /// That of a function with a name.
    Function,
    /// That of a function without one.
    Lambda,
    /// That of members: names declared in it are no variables.
    Class,
    /// That of a definition's own parameters.
    Item,
    /// Any other.
    Block,
}

/// What a child is in its parent. Names directly in it take this meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Place {
    /// Names are used.
    Use,
    /// Names are declared, visible after the parent.
    Declare,
    /// Names are declared and visible at once.
    DeclareNow,
    /// Names are declared and visible in the parent's body.
    DeclareForBody,
    /// Names are declared for the whole function around.
    DeclareInFunction,
    /// Names are parameters.
    Parameter,
    /// Names are parameters that stand for types, constants.
    Generic,
    /// The name of what the parent defines, visible outside of it.
    OwnName,
    /// The name of a member that the parent defines.
    OwnMember,
    /// The name of a member.
    Member,
    /// A name whose meaning is elsewhere.
    Key,
    /// A name is a key, anything else a pattern.
    KeyOrPattern,
    /// The second name of what the parent imports.
    Alias,
    /// The name of a variable outside of this function.
    Outer,
    /// A label.
    Label,
    /// A lifetime.
    Lifetime,
    /// A variable of a macro.
    MacroVariable,
    /// Names of a member and of a variable in one word.
    Shorthand,
    /// The parent's body, where what its head declares is visible.
    Body,
    /// Where it is not any more.
    Outside,
    /// A type or the like, left out of the loose form.
    Annotation,
    /// Left out.
    Dropped,
}

/// Separators and brackets that the tree itself makes superfluous.
pub(crate) const PUNCTUATION: [&str; 16] =
    ["(", ")", "[", "]", "{", "}", ",", ";", ":", ".", "->", "=>", "::", "\"", "'", "\n"];

/// Operators whose operands may change places.
pub(crate) const COMMUTATIVE: [&str; 4] = ["==", "!=", "*", "+"];
/// Likewise, where no operand has an effect.
pub(crate) const LOGICAL: [&str; 4] = ["and", "or", "&&", "||"];
/// Operators that are written as the other where the operands change places.
pub(crate) const TURNED: [(&str, &str); 2] = [(">", "<"), (">=", "<=")];
/// Operators of assignments that compute.
pub(crate) const AUGMENTED: [(&str, &str); 13] = [
    ("+=", "+"),
    ("-=", "-"),
    ("*=", "*"),
    ("/=", "/"),
    ("//=", "//"),
    ("%=", "%"),
    ("**=", "**"),
    ("@=", "@"),
    ("&=", "&"),
    ("|=", "|"),
    ("^=", "^"),
    ("<<=", "<<"),
    (">>=", ">>"),
];
