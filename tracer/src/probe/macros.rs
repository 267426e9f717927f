//! The macro of probes, and how it takes apart what a probe says: what is the same each time goes to
//! the probe's [`Point`](crate::Point), the rest to its [report](crate::report).

/// One probe: `probe!(probe, constructor(arguments))`, where `constructor` is one of
/// [`report`](crate::report)'s, which are those of [`Kind`](crate::Kind).
/// After a semicolon, where the bytes' fields come from: `; from "rkey" = "wr.rdma.rkey"`.
///
/// Names that are literals are kept once, not with each event: to write a name as a literal where
/// the probe stands makes it cheaper.
///
/// On the data path the type of the probe stands before it, `probe!(P: probe, ...)`: then it is
/// known before anything is generated whether there is a probe at all. With `at & SITE` before that,
/// the events come from that site, and not from where the macro stands; elsewhere than on the data
/// path, `at site` takes one that is known at run time only.
#[cfg(not(feature = "without-probes"))]
#[macro_export]
macro_rules! probe {
    (at & $site:path, $P:ident: $probe:expr, $kind:ident $arguments:tt) => {{
        use $crate::{Probe as _, Scribe as _};
        if <$P as $crate::CompiledIn>::ON {
            $crate::probe!(@ $site, $site.group, $probe, $kind $arguments);
        }
    }};
    (at $site:expr, $probe:expr, $kind:ident $arguments:tt) => {{
        use $crate::{Probe as _, Scribe as _};
        if $crate::is_compiled_in(&$probe) {
            static POINT: $crate::Point = $crate::Point::new(None, $crate::form!($kind $arguments));
            let site: &'static $crate::Site = $site;
            if let Some(scribe) = ($probe).scribe(site.group) {
                scribe.write_at(site, &POINT, $crate::told!($kind $arguments));
            }
        }
    }};
    ($P:ident: $probe:expr, $kind:ident $arguments:tt $(; from $($field:literal = $origin:literal),+ $(,)?)?) => {{
        static SITE: $crate::Site = $crate::site!($(from $($field = $origin),+)?);
        {
            use $crate::{Probe as _, Scribe as _};
            if <$P as $crate::CompiledIn>::ON {
                $crate::probe!(@ SITE, PROBE_GROUP, $probe, $kind $arguments);
            }
        }
    }};
    ($probe:expr, $kind:ident $arguments:tt $(; from $($field:literal = $origin:literal),+ $(,)?)?) => {{
        static SITE: $crate::Site = $crate::site!($(from $($field = $origin),+)?);
        {
            use $crate::{Probe as _, Scribe as _};
            if $crate::is_compiled_in(&$probe) {
                $crate::probe!(@ SITE, PROBE_GROUP, $probe, $kind $arguments);
            }
        }
    }};
    (@ $site:path, $group:expr, $probe:expr, $kind:ident $arguments:tt) => {
        static POINT: $crate::Point =
            $crate::Point::new(Some(&$site), $crate::form!($kind $arguments));
        if let Some(scribe) = ($probe).scribe($group) {
            scribe.write(&POINT, $crate::told!($kind $arguments));
        }
    };
}

/// The probe of a build without any: what the cost of probes that are off is measured against.
#[cfg(feature = "without-probes")]
#[macro_export]
macro_rules! probe {
    ($($anything:tt)*) => {{}};
}

/// The [`Form`](crate::Form) of what a probe says. Its arms are those of [`told!`](crate::told).
#[doc(hidden)]
#[macro_export]
macro_rules! form {
    (call($function:literal, [$(($name:literal, $value:expr)),* $(,)?] $(,)?)) => {
        $crate::Form::Call { function: Some($function), names: Some(&[$($name),*]) }
    };
    (call $any:tt) => { $crate::Form::Call { function: None, names: None } };
    (returned($function:literal, $result:expr $(,)?)) => {
        $crate::Form::Return { function: Some($function) }
    };
    (returned $any:tt) => { $crate::Form::Return { function: None } };
    (dispatch($table:literal, $slot:literal, $target:expr $(,)?)) => {
        $crate::Form::Dispatch { table: Some($table), slot: Some($slot) }
    };
    (dispatch $any:tt) => { $crate::Form::Dispatch { table: None, slot: None } };
    (check($what:literal, ($left:literal, $one:expr), $relation:expr, ($right:literal, $other:expr), $holds:expr $(,)?)) => {
        $crate::Form::Check {
            what: Some($what),
            left: Some($left),
            relation: $relation,
            right: Some($right),
        }
    };
    (check($what:literal, $left:expr, $relation:expr, ($right:literal, $other:expr), $holds:expr $(,)?)) => {
        $crate::Form::Check { what: Some($what), left: None, relation: $relation, right: Some($right) }
    };
    (check($what:expr, $left:expr, $relation:expr, $right:expr, $holds:expr $(,)?)) => {
        $crate::Form::Check { what: None, left: None, relation: $relation, right: None }
    };
    (locked($lock:literal)) => {
        $crate::Form::Lock { lock: Some($lock), action: $crate::LockAction::Acquired }
    };
    (locked $any:tt) => {
        $crate::Form::Lock { lock: None, action: $crate::LockAction::Acquired }
    };
    (unlocked($lock:literal)) => {
        $crate::Form::Lock { lock: Some($lock), action: $crate::LockAction::Released }
    };
    (unlocked $any:tt) => {
        $crate::Form::Lock { lock: None, action: $crate::LockAction::Released }
    };
    (store($region:expr, $offset:expr, $layout:literal, $bytes:expr $(,)?)) => {
        $crate::Form::Store { layout: Some($layout) }
    };
    (store $any:tt) => { $crate::Form::Store { layout: None } };
    (load($region:expr, $offset:expr, $layout:literal, $bytes:expr $(,)?)) => {
        $crate::Form::Load { layout: Some($layout) }
    };
    (load $any:tt) => { $crate::Form::Load { layout: None } };
    (barrier($name:expr, $instruction:expr $(,)?)) => {
        $crate::Form::Barrier { name: Some($name), instruction: Some($instruction) }
    };
    (register_write($region:expr, $offset:expr, $register:literal, $layout:literal, $bytes:expr $(,)?)) => {
        $crate::Form::RegisterWrite { register: Some($register), layout: Some($layout) }
    };
    (register_write($region:expr, $offset:expr, $register:literal, $layout:expr, $bytes:expr $(,)?)) => {
        $crate::Form::RegisterWrite { register: Some($register), layout: None }
    };
    (register_write $any:tt) => { $crate::Form::RegisterWrite { register: None, layout: None } };
    (register_read($region:expr, $offset:expr, $register:literal, $bytes:expr $(,)?)) => {
        $crate::Form::RegisterRead { register: Some($register) }
    };
    (register_read $any:tt) => { $crate::Form::RegisterRead { register: None } };
    (dma($direction:expr, $address:expr, $why:expr, $layout:expr, $bytes:expr $(,)?)) => {
        $crate::Form::Dma { direction: $direction, why: None, layout: None }
    };
    (state($object:literal, $number:expr, $from:expr, $to:expr $(,)?)) => {
        $crate::Form::State { object: Some($object) }
    };
    (state $any:tt) => { $crate::Form::State { object: None } };
    (index($region:expr, $name:literal, $value:expr $(,)?)) => {
        $crate::Form::Index { name: Some($name) }
    };
    (index $any:tt) => { $crate::Form::Index { name: None } };
    (completion($wr_id:expr, $status:expr, [$(($name:literal, $value:expr)),* $(,)?] $(,)?)) => {
        $crate::Form::Completion { names: Some(&[$($name),*]) }
    };
    (completion $any:tt) => { $crate::Form::Completion { names: None } };
    ($kind:ident $any:tt) => { $crate::Form::Whole };
}

/// The report of what a probe says, without what its [`form!`](crate::form) has.
#[doc(hidden)]
#[macro_export]
macro_rules! told {
    (call($function:literal, [$(($name:literal, $value:expr)),* $(,)?] $(,)?)) => {
        $crate::report::call_of([$($value),*])
    };
    (returned($function:literal, $result:expr $(,)?)) => {
        $crate::report::returned($crate::report::Fixed, $result)
    };
    (dispatch($table:literal, $slot:literal, $target:expr $(,)?)) => {
        $crate::report::dispatch($crate::report::Fixed, $crate::report::Fixed, $target)
    };
    (check($what:literal, ($left:literal, $one:expr), $relation:expr, ($right:literal, $other:expr), $holds:expr $(,)?)) => {
        $crate::report::check(
            $crate::report::Fixed,
            ($crate::report::Fixed, $one),
            $relation,
            ($crate::report::Fixed, $other),
            $holds,
        )
    };
    (check($what:literal, $left:expr, $relation:expr, ($right:literal, $other:expr), $holds:expr $(,)?)) => {
        $crate::report::check(
            $crate::report::Fixed,
            $left,
            $relation,
            ($crate::report::Fixed, $other),
            $holds,
        )
    };
    (locked($lock:literal)) => { $crate::report::locked($crate::report::Fixed) };
    (unlocked($lock:literal)) => { $crate::report::unlocked($crate::report::Fixed) };
    (store($region:expr, $offset:expr, $layout:literal, $bytes:expr $(,)?)) => {
        $crate::report::store($region, $offset, $crate::report::Fixed, $bytes)
    };
    (load($region:expr, $offset:expr, $layout:literal, $bytes:expr $(,)?)) => {
        $crate::report::load($region, $offset, $crate::report::Fixed, $bytes)
    };
    (barrier($name:expr, $instruction:expr $(,)?)) => { $crate::report::barrier() };
    (register_write($region:expr, $offset:expr, $register:literal, $layout:literal, $bytes:expr $(,)?)) => {
        $crate::report::register_write(
            $region,
            $offset,
            $crate::report::Fixed,
            $crate::report::Fixed,
            $bytes,
        )
    };
    (register_write($region:expr, $offset:expr, $register:literal, $layout:expr, $bytes:expr $(,)?)) => {
        $crate::report::register_write($region, $offset, $crate::report::Fixed, $layout, $bytes)
    };
    (register_read($region:expr, $offset:expr, $register:literal, $bytes:expr $(,)?)) => {
        $crate::report::register_read($region, $offset, $crate::report::Fixed, $bytes)
    };
    (dma($direction:expr, $address:expr, $why:expr, $layout:expr, $bytes:expr $(,)?)) => {
        $crate::report::dma($address, $why, $layout, $bytes)
    };
    (state($object:literal, $number:expr, $from:expr, $to:expr $(,)?)) => {
        $crate::report::state($crate::report::Fixed, $number, $from, $to)
    };
    (index($region:expr, $name:literal, $value:expr $(,)?)) => {
        $crate::report::index($region, $crate::report::Fixed, $value)
    };
    (completion($wr_id:expr, $status:expr, [$(($name:literal, $value:expr)),* $(,)?] $(,)?)) => {
        $crate::report::completion_of($wr_id, $status, [$($value),*])
    };
    ($kind:ident($($argument:expr),* $(,)?)) => { $crate::report::$kind($($argument),*) };
}
