//! `copytrace serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::INDEX_DEFAULT;
use super::index::BuildArgs;
use super::shared::PolicyArgs;

#[derive(Debug, Args)]
#[command(
    about = "Answer checks over gRPC.",
    long_about = "Answer checks over gRPC until the process is stopped.\n\n\
                  With INPUT, reads that corpus into the index first.",
    after_help = "Column names may be dotted (metadata.license); of a comma list the first present is taken.\n\n\
                  Example:\n  copytrace serve --index corpus-index",
    after_long_help = "Column names may be dotted (metadata.license); of a comma list the first present is taken.\n\n\
                       Examples:\n  \
                       copytrace serve --index corpus-index\n  \
                       copytrace serve corpus.jsonl.gz\n  \
                       copytrace serve --index books-index --index code-index --listen 0.0.0.0:50051 --policy policy.toml"
)]
pub(in crate::cli) struct ServeArgs {
    #[arg(
        value_name = "INPUT",
        value_hint = ValueHint::AnyPath,
        help = "Read this file or folder into the index first.",
        long_help = "Read this file or folder into the index first, as `copytrace index` does. Documents that are there already stay as \
                     they are.\n\
                     Default: none, the index is served as it is.\n\
                     Example: copytrace serve corpus.jsonl.gz"
    )]
    pub(in crate::cli) inputs: Vec<PathBuf>,
    #[arg(
        long,
        value_name = "DIR",
        default_value = INDEX_DEFAULT,
        hide_default_value = true,
        value_hint = ValueHint::DirPath,
        help = "Answer from this index; repeat it for more (default .copytrace/index).",
        long_help = "Answer from the index in this folder. Given more than once, all are asked; INPUT can then not be given.\n\
                     Default: .copytrace/index.\n\
                     Example: --index corpus-index"
    )]
    pub(in crate::cli) index: Vec<PathBuf>,
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:50051",
        hide_default_value = true,
        value_parser = parse_address,
        help = "Listen on this address and port (default 127.0.0.1:50051).",
        long_help = "Listen on this address and port. The service has no passwords: an address other than this machine's own opens it to \
                     whoever reaches it. Port 0 lets the system choose.\n\
                     Default: 127.0.0.1:50051.\n\
                     Example: --listen 0.0.0.0:50051"
    )]
    pub(in crate::cli) listen: SocketAddr,
    #[command(flatten)]
    pub(in crate::cli) judge: PolicyArgs,
    #[command(flatten)]
    pub(in crate::cli) build: BuildArgs,
}

fn parse_address(text: &str) -> Result<SocketAddr, &'static str> {
    let numeric = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    numeric.parse().map_err(|_| "expected ADDRESS:PORT, such as 127.0.0.1:50051, [::1]:50051 or localhost:50051")
}
