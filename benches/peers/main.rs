//! The worker of `benches/peers/compare.py`: our side of the comparison with PyTorch.
//!
//! `peers list` names the cases, `peers gemm` measures this machine's matrix product. `peers CASE DIR` writes
//! `DIR/inputs.npz` and `DIR/outputs.npz`, prints `ready`, and then for every line `n` on stdin runs n repetitions and
//! prints the seconds they took. `--threads T` comes last.

mod access;
mod case;
mod gemm;
mod score;
mod spreading;
mod step;
#[path = "../support/mod.rs"]
mod support;

use std::io::{BufRead, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use case::Case;

type Make = fn() -> Case;

/// Name and maker of every case.
const CASES: [(&str, Make); 12] = [
    ("amp-small", || access::amp(&access::SMALL)),
    ("amp-large", || access::amp(&access::LARGE)),
    ("amp-nn-small", || access::amp_nn(&access::SMALL)),
    ("amp-nn-large", || access::amp_nn(&access::LARGE)),
    ("gl-nn", access::group_lasso_nn),
    ("map-nn", access::map_nn),
    ("mampnet-shared", access::mampnet_shared),
    ("mampnet-paper", access::mampnet_paper),
    ("covariance", access::covariance),
    ("sicnn", spreading::sicnn),
    ("score", score::step),
    ("langevin", score::langevin),
];

fn serve(mut case: Case, dir: &Path) -> Result<(), Box<dyn std::error::Error>> {
    case.write(dir)?;
    let mut out = std::io::stdout();
    writeln!(out, "ready")?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        let repetitions: usize = line?.trim().parse()?;
        let begin = Instant::now();
        for _ in 0..repetitions {
            (case.run)();
        }
        writeln!(out, "{:.9}", begin.elapsed().as_secs_f64())?;
        out.flush()?;
    }
    Ok(())
}

fn work(words: &[&str]) -> Result<(), Box<dyn std::error::Error>> {
    match words {
        ["list"] => CASES.iter().for_each(|(name, _)| println!("{name}")),
        ["gemm"] => println!("{:.3}", gemm::gigaflops()),
        [name, dir] => {
            let make = CASES.iter().find(|(n, _)| n == name).ok_or_else(|| format!("no case {name}; see `list`"))?.1;
            serve(make(), Path::new(dir))?;
        }
        _ => return Err("usage: peers list | gemm | CASE DIR [--threads T]".into()),
    }
    Ok(())
}

fn main() -> ExitCode {
    // As the program does.
    grantfree::tensor::keep_freed_memory();
    // Cargo adds `--bench` when it starts a bench itself.
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let mut words: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut threads = 0;
    if let Some(at) = words.iter().position(|w| *w == "--threads") {
        threads = words.get(at + 1).and_then(|n| n.parse().ok()).unwrap_or(0);
        words.truncate(at);
    }
    if words.is_empty() {
        println!("the worker of benches/peers/compare.py; nothing to measure without it");
        return ExitCode::SUCCESS;
    }
    let done = grantfree::tensor::on_workers(threads, || work(&words).map_err(|e| e.to_string()));
    match done.expect("threads can be started") {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("peers: {e}");
            ExitCode::FAILURE
        }
    }
}
