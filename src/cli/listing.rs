//! What `feedtape assets` and `feedtape markets` have in common.

use std::io::{self, BufWriter};
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::output::{Format, Printer};
use crate::access::Access;
use crate::config::{Config, Source};
use crate::exit::{Exit, Failure};
use crate::model::Catalog;
use crate::near::{listed, or_else_known};
use crate::store::Value;

#[derive(clap::Args)]
pub(super) struct Options {
    /// A configuration file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only this source of the file
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// How to print the rows
    #[arg(long, default_value = "table")]
    format: Format,
}

/// A value of a row; `None` is NULL.
pub(super) enum Cell {
    Text(Option<String>),
    Integer(Option<i64>),
}

impl Cell {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Text(text) => text.as_ref().map_or(Value::Null, |text| Value::Text(text.as_bytes())),
            Self::Integer(integer) => integer.map_or(Value::Null, Value::Integer),
        }
    }
}

/// Prints rows made of what each source lists; the source's name is the first column.
pub(super) fn run(
    options: &Options,
    columns: &[&str],
    rows: impl Fn(&Catalog) -> Vec<Vec<Cell>>,
) -> Result<Exit, Failure> {
    let config = Config::load(std::slice::from_ref(&options.file))?;
    let sources = match &options.source {
        Some(name) => vec![choose(&config, Some(name))?],
        None => config.sources.iter().collect(),
    };
    let catalogs = super::in_system(async {
        let mut catalogs = Vec::new();
        for source in sources {
            let access = Access::gain(source)?;
            let catalog = access.catalog(source, Some(&config.database)).await;
            access.end().await;
            catalogs.push((&source.name, catalog?));
        }
        Ok::<_, Failure>(catalogs)
    })?;
    let print = || {
        let columns = [&["source"], columns].concat();
        let mut printer = Printer::start(options.format, &columns, BufWriter::new(io::stdout().lock()))?;
        for (source, catalog) in &catalogs {
            for row in rows(catalog) {
                let values = row.iter().map(Cell::value);
                let values: Vec<_> = [Value::Text(source.as_bytes())].into_iter().chain(values).collect();
                if let ControlFlow::Break(()) = printer.row(&values)? {
                    return printer.finish();
                }
            }
        }
        printer.finish()
    };
    super::written(print())
}

/// The source of that name; without a name the only one there is.
pub(super) fn choose<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a Source, Failure> {
    let names = || config.sources.iter().map(|source| source.name.as_str());
    let message = match (name, &config.sources[..]) {
        (None, [source]) => return Ok(source),
        (None, _) => format!("the file has the sources {}; name one with --source", listed(names())),
        (Some(name), sources) => match sources.iter().find(|source| source.name == name) {
            Some(source) => return Ok(source),
            None => format!("the file has no source `{name}`{}", or_else_known(name, names())),
        },
    };
    Err(Exit::Usage.because(message))
}
