//! The figures, in the form of perftest's.

use super::options::Plan;
use crate::Device;
use std::fmt;
use std::time::Duration;

/// Bytes of perftest's MB.
const MB: f64 = (1 << 20) as f64;

/// What `rdma_bw` has measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Bandwidth {
    heading: String,
    size: u32,
    iterations: u32,
    /// `None` at a side that only lent its memory.
    time: Option<Duration>,
}

/// What `rdma_lat` has measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Latency {
    heading: String,
    size: u32,
    /// Each message's time, the shortest first; empty at the server.
    samples: Vec<Duration>,
}

/// Which device the figures are of.
fn heading(device: &Device, plan: &Plan) -> String {
    let of = match device {
        Device::Card | Device::Wired(_) => {
            "the software card: these figures are of this machine's CPU, and not of a ConnectX"
        }
        _ => "through the kernel's driver",
    };
    format!("{} --op {}, device {device} ({of})", plan.program, plan.operation)
}

impl Bandwidth {
    pub(super) fn of(device: &Device, plan: &Plan, time: Option<Duration>) -> Self {
        let (size, iterations) = (plan.size, plan.iterations);
        Self { heading: heading(device, plan), size, iterations, time }
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(to, "{}", self.heading)?;
        let Some(time) = self.time else {
            return write!(to, " this side lent its memory; the client has the figures");
        };
        let seconds = time.as_secs_f64().max(1e-9);
        let messages = f64::from(self.iterations);
        let rate = f64::from(self.size) * messages / seconds / MB;
        writeln!(to, " #bytes     #iterations    BW average[MB/sec]   MsgRate[Mpps]")?;
        let (size, iterations) = (self.size, self.iterations);
        write!(to, " {size:<10} {iterations:<14} {rate:<20.2} {:.6}", messages / seconds / 1e6)
    }
}

impl Latency {
    pub(super) fn of(device: &Device, plan: &Plan, mut samples: Vec<Duration>) -> Self {
        samples.sort_unstable();
        Self { heading: heading(device, plan), size: plan.size, samples }
    }

    /// The time within which this share of the messages, of 1000, came.
    fn within(&self, share: usize) -> Duration {
        let place = (self.samples.len() * share).div_ceil(1000).max(1) - 1;
        self.samples.get(place).copied().unwrap_or_default()
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(to, "{}", self.heading)?;
        let (Some(least), Some(most)) = (self.samples.first(), self.samples.last()) else {
            return write!(to, " this side answered; the client has the figures");
        };
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let count = self.samples.len();
        let average = self.samples.iter().copied().map(micros).sum::<f64>() / count as f64;
        let squares = self.samples.iter().map(|time| (micros(*time) - average).powi(2));
        let deviation = (squares.sum::<f64>() / count as f64).sqrt();
        writeln!(
            to,
            " #bytes #iterations  t_min[usec]  t_max[usec]  t_typical[usec]  t_avg[usec]  t_stdev[usec]  99%[usec]  99.9%[usec]"
        )?;
        let [least, most] = [*least, *most].map(micros);
        let [middle, nearly, almost] = [500, 990, 999].map(|share| micros(self.within(share)));
        write!(
            to,
            " {:<6} {count:<12} {least:<12.2} {most:<12.2} {middle:<16.2} {average:<12.2} {deviation:<14.2} {nearly:<10.2} {almost:.2}",
            self.size
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_bytes_by_time() {
        let time = Some(Duration::from_secs(2));
        let figures =
            Bandwidth { heading: "of a test".to_owned(), size: 1 << 20, iterations: 20, time };
        let text = figures.to_string();
        assert!(text.starts_with("of a test\n"), "{text}");
        let last = text.lines().last().expect("figures").split_whitespace().collect::<Vec<_>>();
        assert_eq!(last, ["1048576", "20", "10.00", "0.000010"]);
    }

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let samples = (1..=1000).map(Duration::from_micros).collect();
        let figures = Latency { heading: String::new(), size: 8, samples };
        assert_eq!([500, 990, 999].map(|share| figures.within(share).as_micros()), [500, 990, 999]);
        let text = figures.to_string();
        let last = text.lines().last().expect("figures").split_whitespace().collect::<Vec<_>>();
        assert_eq!(last[..6], ["8", "1000", "1.00", "1000.00", "500.00", "500.50"]);
        assert_eq!(last[6..], ["288.67", "990.00", "999.00"]);
        let one = Latency { samples: vec![Duration::from_micros(7)], ..figures };
        assert_eq!([1, 500, 999].map(|share| one.within(share).as_micros()), [7, 7, 7]);
    }
}
