//! The switches of a running program: which groups of probes are on, and which table its contexts use.

use doorbell_driver::verbs::Context;
use doorbell_tracer::{Counts, Group, Record, Tracer};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// There is no group of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no group {name:?}; there are: {}, and \"all\"", known.join(", "))]
pub struct UnknownGroup {
    /// The name that was given.
    pub name: String,
    /// The groups that the program has.
    pub known: Vec<String>,
}

/// Where a program's tracing is switched. Clones are the same switches.
#[derive(Clone)]
pub struct Switches {
    tracer: Tracer,
    contexts: Arc<Mutex<Vec<Weak<Context>>>>,
}

impl Switches {
    /// The switches of what this tracer is told.
    pub fn of(tracer: &Tracer) -> Self {
        Self { tracer: tracer.clone(), contexts: Arc::default() }
    }

    /// Brings a context under these switches: from now on it uses the table that they ask for.
    pub fn add(&self, context: &Arc<Context>) {
        let mut contexts = self.contexts();
        contexts.retain(|context| context.strong_count() > 0);
        contexts.push(Arc::downgrade(context));
        context.set_tracing(self.any_is_on());
    }

    // ANCHOR: switch_groups
    /// Switches groups off, then others on, by name; "all" is all of them. Nothing is switched if a name
    /// is unknown.
    ///
    /// Where no group is left on, every context goes back to the ops table without probes: the next call
    /// of a verb meets none at all. A call that is under way ends as it began.
    pub fn switch(&self, disable: &[String], enable: &[String]) -> Result<(), UnknownGroup> {
        let (disable, enable) = (groups(disable)?, groups(enable)?);
        let contexts = self.contexts();
        let kept = |group: &Group| self.tracer.group_is_on(*group) && !disable.contains(group);
        let on = |group: &Group| kept(group) || enable.contains(group);
        self.tracer.set_groups(Group::ALL.into_iter().filter(on));
        for context in contexts.iter().filter_map(Weak::upgrade) {
            context.set_tracing(self.any_is_on());
        }
        Ok(())
    }
    // ANCHOR_END: switch_groups

    /// Whether a group is on.
    pub fn is_on(&self, group: Group) -> bool {
        self.tracer.group_is_on(group)
    }

    /// Whether contexts use the table with probes.
    pub fn any_is_on(&self) -> bool {
        Group::ALL.into_iter().any(|group| self.is_on(group))
    }

    /// How many contexts are open.
    pub fn open_contexts(&self) -> usize {
        self.contexts().iter().filter(|context| context.strong_count() > 0).count()
    }

    /// What the recorder holds, and how much it was given.
    pub fn snapshot(&self) -> (Vec<Record>, Counts) {
        self.tracer.counted_snapshot()
    }

    /// How much the recorder was given.
    pub fn counts(&self) -> Counts {
        self.tracer.counts()
    }

    /// Empties the recorder.
    pub fn clear(&self) {
        self.tracer.clear();
    }

    fn contexts(&self) -> MutexGuard<'_, Vec<Weak<Context>>> {
        self.contexts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The groups of these names.
fn groups(names: &[String]) -> Result<Vec<Group>, UnknownGroup> {
    let mut found = Vec::new();
    for name in names {
        match Group::from_name(name) {
            Some(group) => found.push(group),
            None if name == "all" => found.extend(Group::ALL),
            None => {
                let known = Group::ALL.map(|group| group.name().to_owned()).to_vec();
                return Err(UnknownGroup { name: name.clone(), known });
            }
        }
    }
    Ok(found)
}
