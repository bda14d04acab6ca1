//! Canonical forms by example: pairs of texts, and how much alike their units are.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::recipe::PUBLIC_SEED;

/// How much two texts have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alike {
    /// Equal strict form.
    Strictly,
    /// Equal loose form alone.
    Loosely,
    /// Neither.
    Not,
}

/// Canonical tokens of a text's outermost unit in a level, whatever its size.
fn form(syntax: &mut Syntax, text: &str, language: Language, level: Level) -> Vec<u64> {
    let reading = syntax.read(text, language, SOURCE_BYTES_MAX, None);
    assert_eq!((reading.trouble(), reading.error_bytes()), (None, 0), "{text}");
    let Syntax { forms, numbering, units_key, .. } = &mut *reading.syntax;
    let range = *forms.units.iter().max_by_key(|range| range.end - range.start).expect("a unit");
    numbering.start();
    let items = items_of(forms, &range, level);
    items.iter().map(|item| token(item, &range, *units_key, numbering)).collect()
}

fn check(language: Language, rows: &[(Alike, &str, &str)]) {
    if !Syntax::can_read(language) {
        return;
    }
    let mut syntax = Syntax::new(PUBLIC_SEED);
    let mut failures = Vec::new();
    for (expected, left, right) in rows {
        let mut equal = |level| form(&mut syntax, left, language, level) == form(&mut syntax, right, language, level);
        let found = match (equal(Level::Strict), equal(Level::Loose)) {
            (true, true) => Alike::Strictly,
            (false, true) => Alike::Loosely,
            _ => Alike::Not,
        };
        if found != *expected {
            failures.push(format!("expected {expected:?}, found {found:?}:\n{left}\n--\n{right}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n====\n"));
}

use Alike::{Loosely, Not, Strictly};

#[test]
fn python_renamed_and_reformatted_units_are_alike() {
    check(
        Language::Python,
        &[
            (Strictly, "def f(a, b):\n    return a + b", "def g(x, y):\n    return x + y"),
            (Strictly, "def f(a):\n    b = a\n    return b", "def f(a):\n\n\n        c = (a)  # why\n        return c"),
            (Strictly, "def f(a):\n    return a.x", "def f(a):\n    '''Says.'''\n    return a.x"),
            (Strictly, "def f(a):\n    return g(a, b)", "def f(a):\n    return g(\n        a,\n        b,\n    )"),
            (Strictly, "def f(n):\n    return n * f(n - 1)", "def g(n):\n    return n * g(n - 1)"),
            (
                Strictly,
                "def f(a):\n    for i, j in a: print(i, j)",
                "def f(a):\n    for (k, l) in a:\n        print(k, l)",
            ),
            (Strictly, "def f(a):\n    return [x for x in a if x]", "def f(b):\n    return [y for y in b if y]"),
            (
                Strictly,
                "def f(a):\n    return lambda x, *y, **z: (x, y, z, a)",
                "def f(q):\n    return lambda i, *j, **k: (i, j, k, q)",
            ),
            (
                Strictly,
                "def f():\n    with open('x') as a: return a.read()",
                "def f():\n    with open(\"x\") as b:\n        return b.read()",
            ),
            (
                Strictly,
                "def f():\n    try: g()\n    except E as e: raise X from e",
                "def f():\n    try: g()\n    except E as err: raise X from err",
            ),
            (
                Strictly,
                "def f(a):\n    def g(x): return x\n    return g(a)",
                "def f(a):\n    def h(y): return y\n    return h(a)",
            ),
            (Strictly, "def f(a):\n    if (b := a.x): return b", "def f(a):\n    if (c := a.x):\n        return c"),
            (Strictly, "def f(a):\n    return 'a' 'b' + u'c' + b'd'", "def f(a):\n    return \"ab\" + 'c' + B\"d\""),
            (Strictly, "def f(a):\n    return 1_000 + 0xFF + 1.50", "def f(a):\n    return 1000 + 255 + 1.5"),
            (Strictly, "def f(a):\n    return r'\\d' + 'A'", "def f(a):\n    return '\\\\d' + '\\x41'"),
            (Strictly, "def f(a):\n    return f'{a} {a.b!r:>5}'", "def f(xy):\n    return f'{xy} {xy.b!r:>5}'"),
            (Strictly, "def f(a):\n    return a + \\\n        1", "def f(a):\n    return a + 1"),
            (Strictly, "def f(a):\n    pass\n    return a", "def f(a):\n    return a"),
            (
                Strictly,
                "import numpy as np\ndef f(a):\n    return np.dot(a, a)",
                "import numpy as xx\ndef f(a):\n    return xx.dot(a, a)",
            ),
            (Strictly, "import numpy\ndef f(a):\n    return numpy.dot(a, a)", "def f(a):\n    return np.dot(a, a)"),
            (
                Strictly,
                "def f(a):\n    from m import Y as D\n    return D(a)",
                "def f(a):\n    from m import Y\n    return Y(a)",
            ),
            (Strictly, "def f(self):\n    A = self\n    return A.x", "def f(self):\n    return self.x"),
            (
                Strictly,
                "def f(self, width):\n    A = self; B = width\n    return A.x + B",
                "def f(self, width):\n    return self.x + width",
            ),
            (
                Strictly,
                "def f(a):\n    match a:\n        case [x, *r]: return x, r\n        case P(q=z): return z",
                "def f(a):\n    match a:\n        case [y, *s]: return (y, s)\n        case P(q=w): return w",
            ),
            (
                Strictly,
                "def f(a):\n    n = 0\n    def g():\n        nonlocal n\n        n += 1\n    return n",
                "def f(a):\n    m = 0\n    def h():\n        nonlocal m\n        m += 1\n    return m",
            ),
            (
                Strictly,
                "class A:\n    def f(self, a):\n        return a",
                "class B:\n    def f(this, b):\n        return b",
            ),
            (Strictly, "for x in y:\n    z = x\n    print(z)", "for a in y:\n    b = a\n    print(b)"),
        ],
    );
}

#[test]
fn python_conditions_and_second_names_are_written_one_way() {
    check(
        Language::Python,
        &[
            (
                Strictly,
                "def f(a):\n    if a: b()\n    elif a.c: d()\n    elif a.e: g()\n    else: h()",
                "def f(a):\n    if a: b()\n    else:\n        # why\n        if a.c: d()\n        else:\n            if a.e: g()\n            \
                 else: h()",
            ),
            (
                Not,
                "def f(a):\n    if a: b()\n    elif a.c: d()\n    else: h()",
                "def f(a):\n    if a: b()\n    else:\n        if a.c: d()\n        h()",
            ),
            (
                Not,
                "def f(a):\n    for x in a: b(x)\n    else:\n        if a: c()",
                "def f(a):\n    for x in a: b(x)\n    if a: c()",
            ),
            (
                Strictly,
                "def f(args):\n    A = args\n    A = A or 1\n    return A",
                "def f(args):\n    args = args or 1\n    return args",
            ),
            (
                Not,
                "def f(args):\n    A = args\n    A = A or 1\n    return args",
                "def f(args):\n    args = args or 1\n    return args",
            ),
            (Strictly, "def f(a):\n    return f'{a}x' 'y' f'{a}'", "def f(a):\n    return f'{a}xy{a}'"),
            (Not, "def f(self):\n    return super().f()", "def g(self):\n    return super().g()"),
        ],
    );
}

#[test]
fn python_units_with_other_literals_helpers_or_order_are_loosely_alike() {
    check(
        Language::Python,
        &[
            (Loosely, "def f(a):\n    return a + 17", "def f(a):\n    return a + 18"),
            (Loosely, "def f(a):\n    return g(a, 'x')", "def f(a):\n    return g(a, 'y')"),
            (
                Loosely,
                "def f(aaa, b):\n    return helper(aaa)\ndef helper(a): pass",
                "def f(aaa, b):\n    return assist(aaa)\ndef assist(a): pass",
            ),
            (
                Loosely,
                "class A:\n    def f(self, a):\n        self.total = a\n        return self.total",
                "class A:\n    def f(self, a):\n        self.sum = a\n        return self.sum",
            ),
            (
                Loosely,
                "class A:\n    def f(self): return self.g()\n    def g(self): return 1",
                "class A:\n    def f(self): return self.h()\n    def h(self): return 1",
            ),
            (Loosely, "def f(a):\n    return g(a) == 5", "def f(a):\n    return 5 == g(a)"),
            (Loosely, "def f(a):\n    return a > 5", "def f(a):\n    return 5 < a"),
            (Loosely, "def f(a):\n    return a.x and not a", "def f(a):\n    return not a and a.x"),
            (Loosely, "def f(a, b):\n    a += b\n    return a", "def f(a, b):\n    a = a + b\n    return a"),
            (Loosely, "def f(a: int) -> str:\n    b: int = a.x\n    return b", "def f(a):\n    b = a.x\n    return b"),
            (Loosely, "class A:\n    @cached\n    def f(self): return 1", "class A:\n    def f(self): return 1"),
        ],
    );
}

#[test]
fn python_look_alikes_are_not_alike() {
    check(
        Language::Python,
        &[
            (Not, "def f(a):\n    return os.remove(a)", "def f(a):\n    return os.rename(a)"),
            (Not, "def f(a):\n    return len(a)", "def f(a):\n    return sum(a)"),
            (Not, "def f(a, b):\n    return g(a, b)", "def f(a, b):\n    return g(b, a)"),
            (Not, "def f(a, b):\n    return a - b - a", "def f(x, y):\n    return x - y - y"),
            (Not, "def f(a):\n    return g(key=a)", "def f(a):\n    return g(value=a)"),
            (Not, "def f(a):\n    return (a + 1) * 2", "def f(a):\n    return a + 1 * 2"),
            (Not, "def f(a):\n    return a[1:]", "def f(a):\n    return a[:1]"),
            (Not, "def f(a):\n    return a + 0", "def f(a):\n    return a + 1"),
            (Not, "def f(a):\n    return True", "def f(a):\n    return False"),
            (
                Not,
                "def f(a):\n    match a:\n        case X.y: return 1",
                "def f(a):\n    match a:\n        case y: return 1",
            ),
            (Not, "def f(a):\n    return x.a", "def f(b):\n    return x.b"),
            (Not, "def f(a):\n    raise KeyError(a)", "def f(a):\n    raise ValueError(a)"),
            (Not, "def f(a):\n    if a: x()\n    y()", "def f(a):\n    if a:\n        x()\n        y()"),
            (Not, "def f(a):\n    return g(a) and h(a)", "def f(a):\n    return h(a) and g(a)"),
            (Not, "def f(a):\n    A = a\n    A = 1\n    return A + a", "def f(a):\n    return a + a"),
            (Not, "def f(a):\n    return a < b", "def f(a):\n    return a <= b"),
            (Not, "def f(a):\n    import a.b", "def f(a):\n    import a, b"),
            (Not, "def f(a):\n    return await_(a)", "def f(a):\n    return (yield a)"),
        ],
    );
}

#[test]
fn rust_renamed_and_reformatted_units_are_alike() {
    check(
        Language::Rust,
        &[
            (Strictly, "fn f(a: u32) -> u32 { a + 1 }", "pub fn g(b: u32) -> u32 {\n    // why\n    (b + 1)\n}"),
            (Strictly, "fn f(n: u32) -> u32 { n * f(n - 1) }", "fn g(m: u32) -> u32 { m * g(m - 1) }"),
            (Strictly, "fn f(x: u32) -> P { P { x } }", "fn f(y: u32) -> P { P { x: y } }"),
            (
                Strictly,
                "fn f(p: P) -> u32 { let P { x, .. } = p; x }",
                "fn f(q: P) -> u32 { let P { x: z, .. } = q; z }",
            ),
            (
                Strictly,
                "fn f(x: u32) -> u32 { let x = x + 1; let x = x * 2; x }",
                "fn f(x: u32) -> u32 { let y = x + 1; let z = y * 2; z }",
            ),
            (
                Strictly,
                "fn f(x: Option<u32>) -> u32 { if let Some(x) = x { x } else { g(x) } }",
                "fn f(x: Option<u32>) -> u32 { if let Some(y) = x { y } else { g(x) } }",
            ),
            (Strictly, "fn f(x: V) { for x in x.iter() { g(x); } }", "fn f(x: V) { for y in x.iter() { g(y); } }"),
            (Strictly, "fn f(x: V) { x.map(|a| a.b(|c| c + a)) }", "fn f(y: V) { y.map(|q| q.b(|r| r + q)) }"),
            (
                Strictly,
                "fn f(x: E) -> u32 { match x { E::A(n) if n > 1 => n, E::B { v } => v, _ => 0 } }",
                "fn f(y: E) -> u32 { match y { E::A(m) if m > 1 => m, E::B { v: w } => w, _ => 0, } }",
            ),
            (
                Strictly,
                "fn f<'a, T: Clone>(x: &'a T) -> T { x.clone() }",
                "fn f<'b, U: Clone>(y: &'b U) -> U { y.clone() }",
            ),
            (Strictly, "fn f() { 'outer: loop { break 'outer; } }", "fn f() { 'all: loop { break 'all; } }"),
            (
                Strictly,
                "fn f(name: &str) { println!(\"{name} {}\", name.len()); }",
                "fn f(who: &str) { println!(\"{who} {}\", who.len()); }",
            ),
            (Strictly, "fn f(a: u32) { assert_eq!(a, g(a.b)); }", "fn f(c: u32) { assert_eq!(c, g(c.b),); }"),
            (Strictly, "use a::b as c; fn f() { c(1) }", "use a::b; fn f() { b(1) }"),
            (Strictly, "fn f() -> &str { r#\"a\"b\"# }", "fn f() -> &str { \"a\\\"b\" }"),
            (Strictly, "fn f() -> u32 { 1_000 + 0xff }", "fn f() -> u32 { 1000 + 255 }"),
            (
                Strictly,
                "mod m { #[derive(Debug, Clone)] struct S { a: u32 } fn f() { let a = 1; } impl S { fn g(&self) -> u32 { self.a } } }",
                "mod m { #[derive(Clone, Debug)] pub struct S { pub a: u32, } fn f() { let a = 1; } impl S { pub(crate) fn g(&self) -> u32 { self.a } } }",
            ),
            (
                Strictly,
                "fn f(a: u32) { fn g(x: u32) -> u32 { x } g(a) }",
                "fn f(a: u32) { fn h(y: u32) -> u32 { y } h(a) }",
            ),
            (
                Strictly,
                "fn f(x: R) { let Ok(y) = x else { return }; g(y) }",
                "fn f(x: R) { let Ok(z) = x else { return; }; g(z) }",
            ),
            (
                Strictly,
                "macro_rules! m { ($a:expr, $b:ty) => { f($a, $b) }; }",
                "macro_rules! m { ($x:expr, $y:ty) => { f($x, $y) }; }",
            ),
        ],
    );
}

#[test]
fn rust_units_with_other_literals_helpers_or_types_are_loosely_alike() {
    check(
        Language::Rust,
        &[
            (Loosely, "fn f() -> u32 { g(17) }", "fn f() -> u32 { g(18) }"),
            (
                Loosely,
                "fn f(a: u32) -> u32 { let b = helper(a); let c = b; c.d } fn helper() {}",
                "fn f(a: u32) -> u32 { let b = assist(a); let c = b; c.d } fn assist() {}",
            ),
            (Loosely, "impl S { fn f(&self) -> u32 { self.total } }", "impl S { fn f(&self) -> u32 { self.sum } }"),
            (Loosely, "fn f() { let a: Vec<u32> = x.collect(); }", "fn f() { let a = x.collect::<Vec<_>>(); }"),
            (Loosely, "fn f<'a>(x: &'a str) -> &'a str { x }", "fn f(x: &str) -> &str { x }"),
            (Loosely, "fn f(a: u32) -> bool { a > 7 }", "fn f(a: u32) -> bool { 7 < a }"),
            (Loosely, "fn f(a: u32) { x.y += a; }", "fn f(a: u32) { x.y = x.y + a; }"),
            (Loosely, "impl S { #[inline] fn f() { g(1) } }", "impl S { fn f() { g(1) } }"),
        ],
    );
}

#[test]
fn rust_look_alikes_are_not_alike() {
    check(
        Language::Rust,
        &[
            (
                Not,
                "fn f(x: E) -> u32 { match x { MAX => 1, y => y } }",
                "fn f(x: E) -> u32 { match x { max => 1, y => y } }",
            ),
            (
                Not,
                "fn f(x: O) -> u32 { match x { None => 1, _ => 2 } }",
                "fn f(x: O) -> u32 { match x { Nothing => 1, _ => 2 } }",
            ),
            (Not, "fn f(a: u32, b: u32) { g(a, b) }", "fn f(a: u32, b: u32) { g(b, a) }"),
            (Not, "fn f(a: V) { a.push(1) }", "fn f(a: V) { a.insert(1) }"),
            (Not, "fn f(a: u32) -> u32 { a }", "fn f(a: u64) -> u64 { a }"),
            (Not, "fn f(x: u32) { let x = g(x); let y = x; h(x) }", "fn f(x: u32) { let z = g(x); let y = x; h(x) }"),
            (Not, "fn f(a: u32) { [a; 3]; }", "fn f(a: u32) { [a, 3]; }"),
            (Not, "fn f(a: u32) { println!(\"{a}\") }", "fn f(a: u32) { println!(\"{b}\") }"),
            (Not, "fn f(a: u32) { vec![a; n] }", "fn f(a: u32) { vec![a, n] }"),
            (Not, "fn f(a: u32) { a..b }", "fn f(a: u32) { a..=b }"),
            (Not, "fn f(a: P) { P { x: a } }", "fn f(a: P) { P { y: a } }"),
            (Not, "fn f(a: u32) { std::fs::remove_file(a) }", "fn f(a: u32) { std::fs::create_dir(a) }"),
            (Not, "fn f(a: &mut u32) { g(a) }", "fn f(a: &u32) { g(a) }"),
        ],
    );
}

#[test]
fn javascript_and_typescript_units_are_compared_by_scope() {
    let rows = [
        (
            Strictly,
            "function f(a, {b, c: d}) { const e = a + b; return e + d; }",
            "function g(x, {b: y, c}) { const z = (x + y); return z + c }",
        ),
        (Strictly, "const f = (a) => { let b = a.x; return b; };", "const f = (q) => { let r = q.x; return r; };"),
        (Strictly, "function f(a) { for (const i of a) { g(i); } }", "function f(b) { for (const j of b) { g(j) } }"),
        (Strictly, "function f(a) { return {a}; }", "function f(b) { return {a: b}; }"),
        (
            Strictly,
            "function f() { return h(); function h() { return 1; } }",
            "function f() { return k(); function k() { return 0x1; } }",
        ),
        (Loosely, "function f(a) { return a + 17; }", "function f(a) { return a + 18; }"),
        (Not, "function f(a) { return a.push(1); }", "function f(a) { return a.pop(1); }"),
        (Not, "function f(a, b) { return g(a, b); }", "function f(a, b) { return g(b, a); }"),
        (Not, "function f(a) { return {a}; }", "function f(b) { return {b}; }"),
    ];
    for language in [Language::JavaScript, Language::TypeScript, Language::Tsx] {
        check(language, &rows);
    }
    check(
        Language::TypeScript,
        &[
            (
                Strictly,
                "function f(a: number): string { return g(a); }",
                "function f(b: number): string { return g(b); }",
            ),
            (Loosely, "function f(a: number): string { return g(a); }", "function f(b) { return g(b); }"),
            (Not, "function f(a: number): string { return g(a); }", "function f(a: number): string { return h(a); }"),
        ],
    );
}

#[test]
fn java_units_are_compared_by_scope() {
    check(
        Language::Java,
        &[
            (
                Strictly,
                "class A { int f(int a) { int b = a + 1; return b; } }",
                "class B { int f(int x) { int y = (x + 1); /* why */ return y; } }",
            ),
            (
                Strictly,
                "class A { void f(L<S> a) { for (S s : a) { g(s, x -> x.y()); } } }",
                "class A { void f(L<S> b) { for (S t : b) { g(t, z -> z.y()); } } }",
            ),
            (Loosely, "class A { int a; int f() { return this.a; } }", "class A { int b; int f() { return this.b; } }"),
            (Not, "class A { void f(L a) { a.add(1); } }", "class A { void f(L a) { a.remove(1); } }"),
            (Not, "class A { void f(int a, int b) { g(a, b); } }", "class A { void f(int a, int b) { g(b, a); } }"),
        ],
    );
}

#[test]
fn go_units_are_compared_by_scope() {
    check(
        Language::Go,
        &[
            (
                Strictly,
                "func f(a int) int { b, err := g(a); c, err := h(b); return c }",
                "func k(x int) int {\n\ty, e := g(x)\n\tz, e := h(y)\n\treturn z\n}",
            ),
            (
                Strictly,
                "func f(a []int) { for i, v := range a { g(i, v) } }",
                "func f(b []int) { for j, w := range b { g(j, w) } }",
            ),
            (Loosely, "func f() int { return 17 }", "func f() int { return 18 }"),
            (Not, "func f(a string) { os.Remove(a) }", "func f(a string) { os.Mkdir(a) }"),
            (Not, "func f(a, b int) { g(a, b) }", "func f(a, b int) { g(b, a) }"),
        ],
    );
}

#[test]
fn c_and_cpp_units_are_compared_by_scope() {
    let rows = [
        (
            Strictly,
            "int f(int a, char *b) { int c = a + 1; return g(c, b[a]); }",
            "int k(int x, char *y) {\n  int z = (x + 1); // why\n  return g(z, y[x]);\n}",
        ),
        (
            Strictly,
            "int f(int n) { for (int i = 0; i < n; i++) g(i); return f(n - 1); }",
            "int h(int m) { for (int j = 0; j < m; j++) g(j); return h(m - 1); }",
        ),
        (Loosely, "int f(int a) { return a + 17; }", "int f(int a) { return a + 18; }"),
        (Loosely, "int f(int a) { b->c += a; }", "int f(int a) { b->c = b->c + a; }"),
        (Not, "int f(int a) { return g(a); }", "int f(int a) { return h(a); }"),
        (Not, "int f(int a, int b) { return g(a, b); }", "int f(int a, int b) { return g(b, a); }"),
    ];
    check(Language::C, &rows);
    check(Language::Cpp, &rows);
    check(
        Language::Cpp,
        &[
            (
                Strictly,
                "void f(const V<int>& a) { for (auto& x : a) g(x); }",
                "void f(const V<int>& b) { for (auto& y : b) g(y); }",
            ),
            (Not, "void f(V& a) { a.push_back(1); }", "void f(V& a) { a.pop_back(1); }"),
        ],
    );
}

/// A function of the size of a unit, with a name in it that stands for a body line.
fn python_function(name: &str, argument: &str) -> String {
    format!(
        "def {name}({argument}, limit=3):\n    total = 0\n    for item in {argument}.values():\n        if item.size > limit:\n            \
         total += item.weight * limit\n        log(item, total, 'small')\n    return [total, len({argument}), limit]\n"
    )
}

fn hashes(syntax: &mut Syntax, text: &str, language: Language) -> Vec<(u64, Level)> {
    syntax.read(text, language, CHECK_BYTES_MAX, None).units().iter().map(|unit| (unit.hash, unit.level)).collect()
}

#[test]
fn a_unit_has_the_same_hash_wherever_it_stands() {
    let mut syntax = Syntax::new(PUBLIC_SEED);
    if !Syntax::can_read(Language::Python) {
        return;
    }
    let function = python_function("add", "items");
    let indented = function.replace('\n', "\n        ");
    let alone = hashes(&mut syntax, &function, Language::Python);
    assert!(alone.iter().filter(|unit| unit.1 == Level::Strict).count() >= 3, "function, body, loop: {alone:?}");
    for around in [
        format!("import os\nlimit = 1\nitem = 2\n\n{}\n\nprint(add(total=1))\n", python_function("sum", "values")),
        format!("class A:\n    @property\n    def g(self):\n        {indented}\n        return add\n"),
        format!("if x:\n        {indented}\n"),
        format!("x = = 1\n\n{function}"),
    ] {
        let found = hashes(&mut syntax, &around, Language::Python);
        for unit in alone.iter().filter(|unit| unit.1 == Level::Strict) {
            assert!(found.contains(unit), "{around}");
        }
    }
    let renamed = hashes(&mut syntax, &python_function("sum", "values"), Language::Python);
    assert_eq!(alone, renamed, "reading twice, renamed");
    assert_ne!(alone, hashes(&mut Syntax::new(1), &function, Language::Python), "another seed");
}

#[test]
fn bound_names_of_equal_units_are_the_renaming() {
    let mut syntax = Syntax::new(PUBLIC_SEED);
    if !Syntax::can_read(Language::Python) {
        return;
    }
    let mut names_of = |text: &str| {
        let mut reading = syntax.read(text, Language::Python, CHECK_BYTES_MAX, None);
        let is_function = |unit: &Unit| unit.level == Level::Strict && unit.kind == UnitKind::Definition;
        let unit_idx = reading.units().iter().position(is_function).expect("a function");
        let mut tokens = Vec::new();
        reading.canonical_tokens(unit_idx, &mut tokens);
        let bound = reading.bound_names(unit_idx);
        for name in &bound {
            assert!(name.spans.iter().all(|&(start, end)| text[start as usize..end as usize] == name.name), "{name:?}");
        }
        (tokens, bound.into_iter().map(|name| (name.name, name.spans.len())).collect::<Vec<_>>())
    };
    let (left_tokens, left) = names_of(&python_function("add", "items"));
    let (right_tokens, right) = names_of(&format!("# über\n{}", python_function("sum", "values")));
    assert_eq!(left_tokens, right_tokens);
    let owned = |rows: &[(&str, usize)]| rows.iter().map(|&(name, n)| (name.to_owned(), n)).collect::<Vec<_>>();
    assert_eq!(left, owned(&[("add", 1), ("items", 3), ("limit", 4), ("total", 4), ("item", 4)]));
    assert_eq!(right, owned(&[("sum", 1), ("values", 3), ("limit", 4), ("total", 4), ("item", 4)]));
}

#[test]
fn fragments_have_the_units_of_the_whole() {
    let mut syntax = Syntax::new(PUBLIC_SEED);
    let looped = "for item in get_items(config):\n            if item.size > 3:\n                total += item.weight * scale(item)\n            \
                  log(item, total, 'small')\n        return [total, 1, 2]\n";
    if Syntax::can_read(Language::Python) {
        let whole = hashes(
            &mut syntax,
            &format!("class A:\n    def f(self):\n        total = 0\n        {looped}"),
            Language::Python,
        );
        // Cut in the middle of a line, so that the lines after it are indented more.
        let cut = format!("total = 0\n        {looped}");
        let reading = syntax.read(&cut, Language::Python, CHECK_BYTES_MAX, None);
        assert_eq!((reading.trouble(), reading.error_bytes()), (None, 0));
        assert!(reading.units().iter().all(|unit| unit.end as usize <= cut.len()));
        let found =
            reading.units().iter().find(|unit| cut[unit.start as usize..].starts_with("for item")).expect("the loop");
        assert!(whole.contains(&(found.hash, found.level)));
    }
    if Syntax::can_read(Language::Rust) {
        let method = "pub fn f(&self, a: u32) -> Option<u32> { let b = self.x.checked_add(a)?; for c in 0..b { log(c, a, b, self.y); } Some(b) }";
        let whole = hashes(&mut syntax, &format!("impl S {{ {method} }}"), Language::Rust);
        let found = hashes(&mut syntax, method, Language::Rust);
        assert!(found.iter().any(|unit| unit.1 == Level::Strict && whole.contains(unit)), "{found:?} {whole:?}");
        let arms =
            "A(x) if x > 1 => { g(x) } B { y, .. } => { for i in y { h(i, x, y, z(i), w.v(u, t, s, r)); } } _ => {}";
        let reading = syntax.read(arms, Language::Rust, CHECK_BYTES_MAX, None);
        assert_eq!(reading.error_bytes(), 0);
    }
}

#[test]
fn an_error_spoils_what_holds_it_alone() {
    let mut syntax = Syntax::new(PUBLIC_SEED);
    if !Syntax::can_read(Language::Python) {
        return;
    }
    let good = python_function("add", "items");
    let broken = format!("class A:\n    x = = 3\n    {}", good.replace('\n', "\n    "));
    let reading = syntax.read(&broken, Language::Python, CHECK_BYTES_MAX, None);
    assert!(reading.error_bytes() > 0);
    let found: Vec<u64> = reading.units().iter().map(|unit| unit.hash).collect();
    assert!(reading.units().iter().all(|unit| unit.start > 0), "the class is no unit");
    let alone = hashes(&mut syntax, &good, Language::Python);
    assert!(alone.iter().any(|unit| found.contains(&unit.0)));
}

/// Longest that a hostile text may take, as a test is compiled and on a busy machine.
const HOSTILE_TIME_MAX: Duration = Duration::from_secs(5);

#[test]
fn hostile_texts_end_soon_and_do_not_abort() {
    let mut syntax = Syntax::new(PUBLIC_SEED);
    let patterns = [
        "\\\n",
        "r#\"",
        "r##\"",
        "(",
        "[",
        "{",
        ")",
        "\0",
        "&",
        "& ",
        "!",
        "-",
        "- ",
        "not ",
        "a.",
        "a+",
        "a(",
        "(a)",
        "if a: ",
        "lambda: ",
        "a\n b\n",
        "\"",
        "'",
        "\"\"\"",
        "/*",
        "//",
        "#",
        "`",
        "${",
        "`${",
        "<",
        "a<",
        "f\"{",
        "|",
        "||",
        "\\",
        "@",
        "@a\n",
        ";",
        ":",
        ",",
        "=",
        "a=",
        "else ",
        "if (a) ",
        "if a {} else ",
        "match ",
        "fn a() {",
        "'a ",
        "#[",
        "..",
        "::",
        "a::",
        "<T",
        "r",
        "é",
        "\u{feff}",
        "\r",
        "\t",
        " ",
        "\n",
        "\x0c",
        "0",
        "0x",
        "1e",
        "{}",
        "a;",
        "await ",
        "*",
        "**",
        "async ",
        "=>",
        "->",
        "?",
        "a?",
        "a?b:",
        "class A:\n ",
    ];
    for language in Language::ALL.into_iter().filter(|language| Syntax::can_read(*language)) {
        for (pattern, bytes) in patterns.iter().flat_map(|pattern| [4 << 10, 64 << 10].map(|bytes| (pattern, bytes))) {
            let text = pattern.repeat(bytes / pattern.len());
            let start = Instant::now();
            let deadline = start + Duration::from_millis(250);
            let reading = syntax.read(&text, language, CHECK_BYTES_MAX, Some(deadline));
            let units = reading.units().len();
            let time = start.elapsed();
            assert!(time < HOSTILE_TIME_MAX, "{language}: {bytes} bytes of {pattern:?}: {time:?}, {units} units");
        }
    }
}

#[test]
fn what_is_not_read_says_why() {
    let mut syntax = Syntax::new(PUBLIC_SEED);
    let mut trouble = |text: &str, language, deadline| {
        let reading = syntax.read(text, language, CHECK_BYTES_MAX, deadline);
        assert!(reading.units().is_empty() || reading.trouble().is_none());
        reading.trouble()
    };
    assert_eq!(trouble("prose", Language::Text, None), Some(Trouble::NoGrammar));
    for language in Language::ALL.into_iter().filter(|language| Syntax::can_read(*language)) {
        let long = "alpha\nbeta\ngamma\ndelta\n".repeat(CHECK_BYTES_MAX / 16);
        assert_eq!(trouble(&long, language, None), Some(Trouble::TooLong));
        assert_eq!(
            trouble(&"(".repeat(100_000), language, None),
            Some(Trouble::Hostile("brackets are nested too deep"))
        );
        assert_eq!(trouble(&"\0".repeat(200_000), language, None), Some(Trouble::Hostile("a run of NUL bytes")));
        assert_eq!(trouble(&long[..100_000], language, Some(Instant::now())), Some(Trouble::Deadline));
        assert_eq!(
            trouble("a\n", language, Some(Instant::now() + Duration::from_mins(1))),
            None,
            "the parser starts anew"
        );
    }
}

#[test]
fn what_would_take_too_long_is_not_read() {
    let mut syntax = Syntax::new(PUBLIC_SEED);
    let mut trouble = |text: &str, language| syntax.read(text, language, CHECK_BYTES_MAX, None).trouble();
    let comments =
        |n: usize| (0..n).map(|n| format!("# line {n} of a text that nobody reads\n\n")).collect::<Vec<_>>().concat();
    assert_eq!(trouble(&comments(700), Language::Python), None, "the longest licence");
    assert_eq!(trouble(&comments(3000), Language::Python), Some(Trouble::Hostile("comments without end")));
    assert_eq!(trouble(&format!("{}a = 1\n", comments(300)).repeat(10), Language::Python), None, "with code between");
    assert_ne!(trouble(&comments(3000), Language::Rust), Some(Trouble::Hostile("comments without end")));

    let sum = |name: &str, n: usize| (0..n).map(|n| format!("{name}={}+b\n", n % 10)).collect::<Vec<_>>().concat();
    assert_eq!(trouble(&sum("a", CHECK_BYTES_MAX / 16), Language::Python), None, "short, if dense");
    assert_eq!(
        trouble(&sum("a", CHECK_BYTES_MAX / 6 - 1), Language::Python),
        Some(Trouble::TooLong),
        "as long, too dense"
    );
    assert_eq!(trouble(&sum("some_longer_name", CHECK_BYTES_MAX / 22), Language::Python), None, "as long, as code is");
}

/// Pieces of which code is made, and which break it.
const PIECES: [&str; 46] = [
    "a", "b1", "self", "X", " ", "\n", "\n    ", "(", ")", "[", "]", "{", "}", ",", ";", ":", ".", "=", "+=", "==",
    "+", "|", "&", "<", ">", "=>", "->", "def ", "fn ", "if ", "else", "for ", " in ", "match ", "let ", "return ",
    "class ", "import ", "as ", "'", "\"", "f\"{", "1", "é", "#", "//",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_read_and_units_lie_in_it(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..200)) {
        let text = format!("{}\n{}", pieces.concat(), python_function("add", "items"));
        let mut syntax = Syntax::new(PUBLIC_SEED);
        for language in Language::ALL {
            let mut reading = syntax.read(&text, language, CHECK_BYTES_MAX, None);
            let mut are_names = true;
            reading.for_each_bound_name(|start, end, _| are_names &= text.get(start as usize..end as usize).is_some());
            prop_assert!(are_names);
            for unit_idx in 0..reading.units().len() {
                let unit = reading.units()[unit_idx];
                prop_assert!(unit.start < unit.end && unit.end as usize <= text.len());
                let mut tokens = Vec::new();
                reading.canonical_tokens(unit_idx, &mut tokens);
                prop_assert!(tokens.len() >= unit.n_tokens as usize);
                for name in reading.bound_names(unit_idx) {
                    for (start, end) in name.spans {
                        prop_assert!(unit.start <= start && end <= unit.end && text.get(start as usize..end as usize).is_some());
                    }
                }
            }
        }
    }
}
