#!/usr/bin/env python3
"""Measure whether changed copies of functions are still found: renamed in every way, with other literals, reordered, cut, disguised.

    python3 benches/code/evade.py --bin target/release/copytrace --corpus FILE.jsonl.zst [--corpus FILE ...] [--functions 150] [--seed 1]
        [--lexical on|off] [--plain-language] [--changes NAME,NAME] [--keep-index DIR] [--show-missed 5] [--out FILE]

Draws functions of 8 to 80 lines at random from the corpora (JSON lines with `id`, `text`, `metadata`; one of each document before a second one of
any). A function has at least 25 tokens of code, the size of the smallest unit: comments and docstrings do not count, so that a function which is
mostly documentation is not drawn; what is left of it without that is too little to tell a copy. Then makes every change of `changes.py` that fits,
indexes the corpora once, checks all in one `check --batch`, and prints a row per language and change:

  n        functions that the change fits: --functions of them, where the corpus has as many
  found    % whose verdict is not ALLOW and of which a match that is not common names a true source: the document it was drawn from, or one
           that has at least half of the function's sequences of five words
  top1     % whose first match that is not common names a true source
  renames  % of the renamed copies whose match lists the renaming rightly: every name listed is in the known map, and at least 95 % of the map
           is listed. Judged by the first match with a document that holds the function unchanged, and counted where there is one
  wrong    % of the same that list a name which is not in the map; the others that are not right leave names out
  kinds    how the best true match was called, in % of the found
  wanted   the least `found` that is wanted; `<` before it marks a row that falls short

A fenced copy is checked without its language being named, since most of the text is prose; --plain-language names none at all.
Exit code: 0, or 1 if a row falls short, 2 for wrong input. Standard library only.
"""

import argparse
import collections
import json
import random
import sys
import tempfile
from pathlib import Path

import changes
import corpora

LINES_MIN, LINES_MAX = 8, 80
# The smallest unit that is indexed.
TOKENS_MIN = 25
RENAMES_LISTED_MIN = 0.95
WANTED = {"verbatim": 99.5, "rename_some": 95, "rename_all_literals": 92, "reorder": 93, "cut": 97, "cut_renamed": 85}
WANTED |= dict.fromkeys(("homoglyphs", "zero_width", "full_width_digits", "crlf", "tabs", "prompts", "diff", "fenced"), 99)
# A change that fits few functions is not looked for longer than this many functions for each one wanted.
DRAWN_PER_FUNCTION = 80


def has_code_enough(function):
    """Tells whether a function without its comments and docstrings has the tokens of the smallest unit."""
    bare = changes.strip_comments(function.text, function.lang)
    return len(changes.code_tokens(bare, function.lang)) >= TOKENS_MIN


def make_queries(documents, names, n_wanted, seed):
    """A list of (change, function, changed text) with up to so many of each change, for one language."""
    left = {name: n_wanted for name in names}
    queries, n_drawn = [], 0
    draw = random.Random(seed)
    for function, document in corpora.draw_functions(documents, seed, LINES_MIN, LINES_MAX):
        if not has_code_enough(function):
            continue
        n_drawn += 1
        if not any(left.values()) or n_drawn > DRAWN_PER_FUNCTION * n_wanted:
            break
        context = None
        for name in names:
            if not left[name]:
                continue
            context = context or corpora.context_of(document)
            changed = changes.change(name, function.text, function.lang, draw, context)
            if changed is not None:
                left[name] -= 1
                queries.append((name, function, changed))
    return queries


def compare_renames(renames, match):
    """Tells whether a match lists the known renaming right and full, and whether any name it lists is wrong."""
    listed = {(pair["query"], pair["source"]) for pair in match.get("renames", [])}
    known = {(new, old) for old, new in renames.items()}
    is_wrong = not listed <= known
    return not is_wrong and len(listed) >= RENAMES_LISTED_MIN * len(known), is_wrong


def judge(row, function, changed, answer, holding, texts):
    """Adds one answer to a row; tells whether the copy was found."""
    own = corpora.own_matches(answer)
    truth = {function.document_id, *holding}
    true = [match for match in own if match["document"]["id"] in truth]
    found = bool(true) and corpora.action_of(answer) != "ALLOW"
    row["found"].append(found)
    row["top1"].append(bool(own) and own[0]["document"]["id"] in truth)
    if found:
        row["kinds"][corpora.kind_of(true[0])] += 1
    if found and changed.renames is not None:
        same = next((match for match in true if dedented(function.text) in texts[match["document"]["id"]]), None)
        if same is not None:
            is_right, is_wrong = compare_renames(changed.renames, same)
            row["renames"].append(is_right)
            row["wrong"].append(is_wrong)
    return found


def percent(values):
    return 100 * sum(values) / len(values) if values else None


def write_figure(value, width):
    return f"{'-' if value is None else format(value, '.1f'):>{width}}"


def dedented(text):
    """A document with no indentation, so that a function without its own is a part of it."""
    return "\n".join(line.strip() for line in text.split("\n"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="the copytrace program")
    parser.add_argument("--corpus", action="append", required=True, help="JSON lines, plain, .gz or .zst; more than one may be given")
    parser.add_argument("--functions", type=int, default=150, help="functions for each language and change")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lexical", choices=("on", "off"), default="on", help="as for `copytrace check`")
    parser.add_argument("--plain-language", action="store_true", help="do not tell the checker the language of a copy")
    parser.add_argument("--changes", help="only these, separated by commas")
    parser.add_argument("--keep-index", help="use the index in this folder, and make it if it is not there")
    parser.add_argument("--show-missed", type=int, default=0, help="print the first so many missed copies of each row")
    parser.add_argument("--out", help="write the figures to this file as JSON")
    a = parser.parse_args()
    names = a.changes.split(",") if a.changes else list(changes.CHANGES)
    if unknown := [name for name in names if name not in changes.CHANGES]:
        corpora.fail(f"unknown change `{unknown[0]}`, expected one of: {', '.join(changes.CHANGES)}")
    if a.functions < 1:
        corpora.fail("--functions must be at least 1")
    program = corpora.Binary(a.bin)
    binary = program.path
    program.print_line()

    documents = [document for path in a.corpus for document in corpora.read_documents(path)]
    queries = []
    for lang in corpora.LANGUAGES:
        of_lang = [document for document in documents if document.lang == lang]
        queries += make_queries(of_lang, names, a.functions, a.seed) if of_lang else []
    if not queries:
        corpora.fail(f"no Python or Rust function of {LINES_MIN} to {LINES_MAX} lines and {TOKENS_MIN} tokens in the corpora")
    holding = corpora.holders([function for _, function, _ in queries], documents)
    needed = {id for of_function in holding.values() for id in of_function} | {function.document_id for _, function, _ in queries}
    texts = {document.id: dedented(document.text) for document in documents if document.id in needed}
    del documents

    rows = collections.defaultdict(lambda: {"found": [], "top1": [], "renames": [], "wrong": [], "kinds": collections.Counter(), "missed": []})
    with tempfile.TemporaryDirectory(prefix="copytrace-evade-") as work:
        index = Path(a.keep_index) if a.keep_index else Path(work) / "index"
        if not index.exists():
            corpora.build_index(binary, a.corpus, index)

        def lines():
            for number, (name, function, changed) in enumerate(queries):
                row = {"id": f"e{number}", "text": changed.text}
                if name != "fenced" and not a.plain_language:
                    row["language"] = function.lang
                yield row

        for (name, function, changed), answer in zip(queries, corpora.check_batch(binary, index, lines(), work, a.lexical)):
            row = rows[function.lang, name]
            if not judge(row, function, changed, answer, holding[function.key], texts):
                row["missed"].append((function, changed))

    program.must_be_unchanged()
    print(f"{'language':<9}{'change':<21}{'n':>5} {'found':>6} {'top1':>6} {'renames':>8} {'wrong':>6} {'wanted':>7}  kinds")
    scores, n_short = {}, 0
    for lang in corpora.LANGUAGES:
        for name in names:
            row = rows.get((lang, name))
            if row is None:
                continue
            found, wanted = percent(row["found"]), WANTED.get(name)
            is_short = wanted is not None and found < wanted
            n_short += is_short
            mark = "" if wanted is None else ("< " if is_short else "") + format(wanted, "g")
            kinds = ", ".join(f"{kind} {100 * count / sum(row['found']):.0f}" for kind, count in row["kinds"].most_common())
            print(f"{lang:<9}{name:<21}{len(row['found']):>5} {found:>6.1f} {write_figure(percent(row['top1']), 6)} "
                  f"{write_figure(percent(row['renames']), 8)} {write_figure(percent(row['wrong']), 6)} {mark:>7}  {kinds}")
            scores[f"{lang}/{name}"] = {"n": len(row["found"]), "found": found, "top1": percent(row["top1"]), "renames": percent(row["renames"]),
                                        "n_renames": len(row["renames"]), "wrong": percent(row["wrong"]), "wanted": wanted, "kinds": dict(row["kinds"])}
            for function, changed in row["missed"][:a.show_missed]:
                print(f"--- missed: {name} of {function.document_id} ({function.path}, from character {function.start})\n{changed.text}\n---")
    print("\n" + (f"{n_short} rows fall short" if n_short else "all rows reach what is wanted"))
    if a.out:
        Path(a.out).write_text(json.dumps({"binary": program.hash, "scores": scores}, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if n_short else 0)


if __name__ == "__main__":
    main()
