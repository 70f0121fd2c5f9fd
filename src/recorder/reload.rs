//! Another configuration while recording: the difference is put in force, and nothing else is touched.

use crate::config::{Config, Source};
use crate::exit::{Exit, Failure};
use crate::store::Reader;

use super::Recorder;
use super::source::{Beginning, Prepared};

/// What a reload changed: sources by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Recorded from now on.
    pub added: Vec<String>,
    /// Recorded no more.
    pub removed: Vec<String>,
    /// Recorded through the same connection, with other subscriptions, polls or time-outs.
    pub replanned: Vec<String>,
    /// Recorded through a new connection, for the place, the account or the limits are others.
    pub reconnected: Vec<String>,
}

/// What is to be done, all of it found possible.
#[derive(Default)]
struct Steps {
    replanned: Vec<Source>,
    prepared: Vec<Prepared>,
}

impl Recorder {
    /// Records what another configuration says from now on. Sources that it does not change go on undisturbed.
    ///
    /// May be dropped half-way: then some of the changes are made, and calling it again makes the others.
    ///
    /// # Errors
    /// If the configuration is for another database, names a market that its venue does not list, or an exchange or a
    /// secret of it is not to be had. Everything is as before then. Also if what a source that is no more recorded
    /// received last could not be stored.
    pub async fn reload(&mut self, config: &Config) -> Result<Changes, Failure> {
        self.refuse_another_file(config)?;
        let mut steps = Steps::default();
        if let Err(failure) = self.find_steps(config, &mut steps).await {
            for prepared in steps.prepared {
                prepared.cancel().await;
            }
            return Err(failure);
        }
        let changes = self.take_steps(config, steps).await?;
        self.config = config.clone();
        Ok(changes)
    }

    fn refuse_another_file(&self, config: &Config) -> Result<(), Failure> {
        let old = &self.config;
        let is_same = [
            ("database", old.database == config.database),
            ("durability", old.durability == config.durability),
            ("commit_interval", old.commit_interval == config.commit_interval),
            ("min_free_space", old.min_free_space == config.min_free_space),
            ("max_wal_size", old.max_wal_size == config.max_wal_size),
        ];
        match is_same.iter().find(|(_, is_same)| !is_same) {
            None => Ok(()),
            Some((key, _)) => {
                let files: Vec<_> = config.files.iter().map(|file| file.display().to_string()).collect();
                let message = format!("{}: {key}: cannot change while recording, start again", files.join(" "));
                Err(Exit::Configuration.because(message))
            }
        }
    }

    /// Finds out what changes, and prepares all of it that can fail.
    async fn find_steps(&mut self, config: &Config, steps: &mut Steps) -> Result<(), Failure> {
        for source in &config.sources {
            if let Some(running) = self.sources.iter().find(|running| running.source.name == source.name)
                && let Some(plan) = running.takes(source)?
            {
                if !running.follows(&plan) {
                    running.check_names(source).await?;
                    steps.replanned.push(source.clone());
                }
                continue;
            }
            let mut beginning = Beginning::new(source)?;
            let recording = Reader::open(&self.config.database)?;
            beginning.recall(&recording, self.view.clock, &mut self.budgets)?;
            steps.prepared.push(beginning.prepare(self.view.clock).await?);
        }
        Ok(())
    }

    async fn take_steps(&mut self, config: &Config, steps: Steps) -> Result<Changes, Failure> {
        let mut changes = Changes::default();
        for source in steps.replanned {
            if let Some(running) = self.sources.iter_mut().find(|running| running.source.name == source.name) {
                running.replan(&source);
                changes.replanned.push(source.name);
            }
        }
        let names: Vec<_> = self.sources.iter().map(|running| running.source.name.clone()).collect();
        for name in names.iter().filter(|name| !config.sources.iter().any(|source| source.name == **name)) {
            self.end_source(name, true).await?;
            changes.removed.push(name.clone());
        }
        for prepared in steps.prepared {
            let name = prepared.name().to_owned();
            if names.contains(&name) {
                self.end_source(&name, false).await?;
                changes.reconnected.push(name);
            } else {
                changes.added.push(name);
            }
            self.begin_source(prepared);
        }
        Ok(changes)
    }

    /// Ends a source; it stays among those that the stop of the recorder awaits until that is done.
    async fn end_source(&mut self, name: &str, for_good: bool) -> Result<(), Failure> {
        let Some(n) = self.sources.iter().position(|running| running.source.name == name) else { return Ok(()) };
        let outcome = if for_good { self.sources[n].leave().await } else { self.sources[n].stop().await };
        let ended = self.sources.remove(n);
        self.show_sources();
        ended.end().await;
        outcome
    }
}
