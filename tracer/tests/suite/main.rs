//! Tests of events, recorders, trace files and the timeline.

mod damage;
mod keeping;
mod large;
mod masking;
mod probing;
mod provenance;
mod recorders;
mod round_trip;
mod rows;
mod samples;
mod schema;
mod switching;
mod timeline;
mod writing;
