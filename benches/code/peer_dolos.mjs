// Runs Dolos: node peer_dolos.mjs QUERIES_FOLDER REFERENCE_FOLDER LANGUAGE SHARE_MIN; peers.py calls it where node_modules stands.
//
// Prints a JSON line `[query file, reference file, share]` for every pair of a query and a reference file that share at least SHARE_MIN of the
// query's fingerprints (`leftCovered / leftTotal`). Its own `similarity` is over both files, which says little of a function and a whole file.
// All settings are its defaults: k-grams of 23 tokens, windows of 17.

import { readdirSync } from "node:fs";
import { join, parse } from "node:path";
import { Dolos } from "@dodona/dolos-lib";

const [queries, reference, language, shareMin] = process.argv.slice(2);
const list = folder => readdirSync(folder).sort().map(name => join(folder, name));
const queryPaths = new Set(list(queries));
const report = await new Dolos({ language }).analyzePaths([...queryPaths, ...list(reference)]);
const files = report.files;
const name = file => parse(file.path).name;
for (const query of files.filter(file => queryPaths.has(file.path))) {
    for (const source of files.filter(file => !queryPaths.has(file.path))) {
        const pair = report.getPair(query, source);
        const share = pair.leftTotal ? pair.leftCovered / pair.leftTotal : 0;
        if (share >= Number(shareMin)) console.log(JSON.stringify([name(query), name(source), share]));
    }
}
