//! `copytrace serve`: answers checks until it is stopped.

use std::net::SocketAddr;

use anyhow::bail;

use super::Exit;
use super::args::ServeArgs;
use super::backend::{Backend, CheckerOptions, ServeOptions};
use super::failure::Refusal;
use super::index;
use super::output::{Label, Stderr};
use super::seed;
use super::visible::visible_name;

/// Runs the command; returns when the service was stopped.
pub(super) fn run(args: ServeArgs, backend: &dyn Backend, stderr: &Stderr) -> anyhow::Result<Exit> {
    if !args.inputs.is_empty() && args.index.len() > 1 {
        bail!(Refusal::new(
            format!("INPUT goes into one index: expected one `--index`, found {}", args.index.len()),
            "index it first with `copytrace index INPUT --index DIR`, then serve all of them",
        ));
    }
    let (build, indexes) = (args.build, args.index);
    let seed = if args.inputs.is_empty() {
        seed::read(build.seed)?
    } else {
        let options = index::options(args.inputs, indexes[0].clone(), build)?;
        let summary = index::build(&options, backend, stderr)?;
        if !stderr.is_quiet {
            stderr.tell(&index::describe(&summary, &options.index, stderr.paint()));
        }
        options.seed
    };
    let n_indexes = indexes.len() as u64;
    let first_index = indexes.first().map(|index| index.to_string_lossy().into_owned()).unwrap_or_default();
    let options =
        ServeOptions { checker: CheckerOptions { indexes, policy: args.judge.policy, seed }, listen: args.listen };
    backend.serve(&options, &|address: SocketAddr| {
        if !address.ip().is_loopback() {
            let warning = format!("whoever reaches {address} can ask this service: it has no passwords");
            stderr.tell_labelled(Label::Warning, &warning);
        }
        if !stderr.is_quiet {
            let indexes = if n_indexes == 1 { "1 index".to_owned() } else { format!("{n_indexes} indexes") };
            stderr.tell_labelled(Label::Note, &format!("serving {indexes} on {address}; Ctrl-C stops"));
            stderr.tell(&how_to_ask(&first_index, address));
        }
    })?;
    Ok(Exit::Clean)
}

/// Two ways to ask: this program without the service, and any gRPC client with it.
fn how_to_ask(index: &str, address: SocketAddr) -> String {
    format!(
        "\nAsk the same index from another terminal:\n  copytrace check --index {} FILE\n\
         or the service (npm has `@bufbuild/buf`; any gRPC client will do):\n  buf curl --protocol grpc --http2-prior-knowledge \
         -d '{{\"text\": \"...\"}}' http://{address}/copytrace.v1.CheckService/Check\n",
        visible_name(index)
    )
}
