//! `feedtape check`.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::talk::{Said, talk};
use crate::access::{Access, known};
use crate::clock::Clock;
use crate::config::{Config, ConfigErrors, Source};
use crate::exit::{Exit, Failure};
use crate::model::{Catalog, CatalogOrigin};
use crate::venue::coinflex::conversation::{Conversation, Misunderstanding};

/// Check configuration files, the secrets they name and the markets, without recording anything
///
/// Names of markets and assets are checked against the list that the recording has, or that the configuration gives.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  feedtape check examples/demo.toml
  feedtape check --online coinflex.toml    # also loads the list of markets and tries the login")]
pub(super) struct Args {
    /// Configuration files that are to be recorded together
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Ask the exchanges, too: for their markets, and whether they take the login
    #[arg(long)]
    online: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let config = Config::load(&args.files)?;
    let logins = config.sources.iter().filter_map(|source| source.login.as_ref());
    let errors = logins.filter_map(|login| login.account().err());
    ConfigErrors::check(errors.flat_map(ConfigErrors::into_errors).collect())?;

    let checked =
        if args.online { actix_rt::System::new().block_on(check_online(&config))? } else { check_offline(&config)? };
    let mut report = format!("{}: to be recorded into\n", config.database.display());
    for (source, names) in config.sources.iter().zip(checked) {
        let login = match (source.logs_in(), args.online) {
            (true, true) => "logged in",
            (true, false) => "with a login",
            (false, _) => "public data only",
        };
        let (subscribe, poll) = (source.subscribe.len(), source.poll.len());
        report.push_str(&format!("{}: good: {subscribe} subscribe, {poll} poll, {login}, {names}\n", source.name));
    }
    super::written(io::stdout().write_all(report.as_bytes()))
}

/// Says for each source what its names were checked against.
fn check_offline(config: &Config) -> Result<Vec<String>, Failure> {
    let clock = Clock::start();
    let mut errors = Vec::new();
    let mut checked = Vec::new();
    for source in &config.sources {
        let known = known(source, Some(&config.database), clock)?;
        checked.push(match &known.last {
            Some(catalog) => {
                errors.extend(source.check_names(catalog, &known).err());
                against(catalog)
            }
            None => "names not checked (no list is known yet, --online loads it)".to_owned(),
        });
    }
    ConfigErrors::check(errors.into_iter().flat_map(ConfigErrors::into_errors).collect())?;
    Ok(checked)
}

/// The same against the exchanges' own lists; tries the logins, too.
async fn check_online(config: &Config) -> Result<Vec<String>, Failure> {
    let mut checked = Vec::new();
    for source in &config.sources {
        let access = Access::gain(source)?;
        let names = check_source_online(config, source, &access).await;
        access.end().await;
        checked.push(names?);
    }
    Ok(checked)
}

async fn check_source_online(config: &Config, source: &Source, access: &Access) -> Result<String, Failure> {
    let catalog = access.catalog(source, None).await?;
    let known = known(source, Some(&config.database), Clock::start())?;
    source.check_names(&catalog, &known)?;
    if let Some(account) = access.account(source)? {
        let conversation = Conversation::log_in(account, 1);
        let refused = talk(access, &source.timing, conversation, |said| match said {
            Said::Reply(_, 0) => ControlFlow::Break(None),
            Said::Reply(text, code) => ControlFlow::Break(Some(Misunderstanding::of_login(&text, code))),
            Said::Notice(_) => ControlFlow::Continue(()),
        });
        if let Some(Some(refused)) = refused.await? {
            return Err(Exit::LoginRefused.because(format!("{}: {refused}", source.name)));
        }
    }
    Ok(against(&catalog))
}

fn against(catalog: &Catalog) -> String {
    match catalog.origin {
        CatalogOrigin::Exchange => "names as the exchange lists them".to_owned(),
        CatalogOrigin::Stored => format!("names as the recording lists them since {}", catalog.valid_from),
        CatalogOrigin::Config => "names as the configuration lists them".to_owned(),
    }
}
