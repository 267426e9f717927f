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
    iterations: u32,
    /// Sizes and the time of each; none at a side that only lent its memory.
    times: Vec<(u32, Duration)>,
}

/// What `rdma_lat` has measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Latency {
    heading: String,
    rows: Vec<Samples>,
}

/// The messages of one size.
#[derive(Debug, Clone, PartialEq)]
struct Samples {
    size: u32,
    /// Each message's time, the shortest first; empty at the server.
    times: Vec<Duration>,
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
    pub(super) fn of(device: &Device, plan: &Plan, times: Vec<(u32, Duration)>) -> Self {
        Self { heading: heading(device, plan), iterations: plan.iterations, times }
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(to, "{}", self.heading)?;
        if self.times.is_empty() {
            return write!(to, " this side lent its memory; the client has the figures");
        }
        write!(to, " #bytes     #iterations    BW average[MB/sec]   MsgRate[Mpps]")?;
        let (count, messages) = (self.iterations, f64::from(self.iterations));
        for (size, time) in &self.times {
            let seconds = time.as_secs_f64().max(1e-9);
            let rate = f64::from(*size) * messages / seconds / MB;
            let millions = messages / seconds / 1e6;
            write!(to, "\n {size:<10} {count:<14} {rate:<20.2} {millions:.6}")?;
        }
        Ok(())
    }
}

impl Latency {
    pub(super) fn of(device: &Device, plan: &Plan, rows: Vec<(u32, Vec<Duration>)>) -> Self {
        let sorted = |(size, mut times): (u32, Vec<Duration>)| {
            times.sort_unstable();
            Samples { size, times }
        };
        Self { heading: heading(device, plan), rows: rows.into_iter().map(sorted).collect() }
    }
}

impl Samples {
    /// The time within which this share of the messages, of 1000, came.
    fn within(&self, share: usize) -> Duration {
        let place = (self.times.len() * share).div_ceil(1000).max(1) - 1;
        self.times.get(place).copied().unwrap_or_default()
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(to, "{}", self.heading)?;
        if self.rows.iter().all(|row| row.times.is_empty()) {
            return write!(to, " this side answered; the client has the figures");
        }
        write!(
            to,
            " #bytes #iterations  t_min[usec]  t_max[usec]  t_typical[usec]  t_avg[usec]  t_stdev[usec]  99%[usec]  99.9%[usec]"
        )?;
        self.rows.iter().try_for_each(|row| write!(to, "\n{row}"))
    }
}

impl fmt::Display for Samples {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let count = self.times.len();
        let average = self.times.iter().copied().map(micros).sum::<f64>() / count.max(1) as f64;
        let squares = self.times.iter().map(|time| (micros(*time) - average).powi(2));
        let deviation = (squares.sum::<f64>() / count.max(1) as f64).sqrt();
        let [least, middle, nearly, almost, most] =
            [0, 500, 990, 999, 1000].map(|share| micros(self.within(share)));
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
        let times = vec![(1 << 10, Duration::from_secs(1)), (1 << 20, Duration::from_secs(2))];
        let figures = Bandwidth { heading: "of a test".to_owned(), iterations: 20, times };
        let text = figures.to_string();
        assert!(text.starts_with("of a test\n"), "{text}");
        let last = text.lines().last().expect("figures").split_whitespace().collect::<Vec<_>>();
        assert_eq!(last, ["1048576", "20", "10.00", "0.000010"]);
    }

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let times = (1..=1000).map(Duration::from_micros).collect();
        let row = Samples { size: 8, times };
        assert_eq!([500, 990, 999].map(|share| row.within(share).as_micros()), [500, 990, 999]);
        let text = Latency { heading: String::new(), rows: vec![row] }.to_string();
        let last = text.lines().last().expect("figures").split_whitespace().collect::<Vec<_>>();
        assert_eq!(last[..6], ["8", "1000", "1.00", "1000.00", "500.00", "500.50"]);
        assert_eq!(last[6..], ["288.67", "990.00", "999.00"]);
        let one = Samples { size: 8, times: vec![Duration::from_micros(7)] };
        assert_eq!([1, 500, 999].map(|share| one.within(share).as_micros()), [7, 7, 7]);
    }
}
