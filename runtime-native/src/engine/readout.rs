//! The kernel's counter files as numbers. Pure: text in, numbers out; what is absent counts as zero.

use super::messages::{InterfaceSample, Pressure, Stall};

/// A limit at or above this is none: version 1 writes the largest page count there is.
const NO_LIMIT: u64 = 1 << 62;

/// A file that holds one number.
pub fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or(0)
}

/// A file that holds a limit; 0 for none (`max`, or a number past all memory).
pub fn limit(text: &str) -> u64 {
    Some(number(text)).filter(|&limit| limit < NO_LIMIT).unwrap_or(0)
}

/// The values after `keys` in a file of `key value` lines, in one pass.
pub fn fields<const N: usize>(text: &str, keys: [&str; N]) -> [u64; N] {
    let mut values = [0; N];
    for (key, value) in text.lines().filter_map(|line| line.split_once(' ')) {
        if let Some(at) = keys.iter().position(|&wanted| wanted == key) {
            values[at] = number(value);
        }
    }
    values
}

/// A file of pressure stall information (Documentation/accounting/psi.rst): a line `some` and mostly a line `full`.
pub fn pressure(text: &str) -> Pressure {
    let line = |kind: &str| stall(text.lines().find_map(|line| line.strip_prefix(kind)).unwrap_or_default());
    Pressure { some: line("some "), full: line("full ") }
}

fn stall(line: &str) -> Stall {
    let value = |key: &str| line.split(' ').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('=')).unwrap_or("0");
    let share = |key: &str| value(key).parse().unwrap_or(0.0);
    Stall { avg10: share("avg10"), avg60: share("avg60"), avg300: share("avg300"), total: value("total").to_owned() }
}

/// Interfaces of /proc/PID/net/dev (proc_pid_net(5)), the loopback left out.
pub fn interfaces(text: &str) -> Vec<InterfaceSample> {
    text.lines().skip(2).filter_map(interface).filter(|interface| interface.name != "lo").collect()
}

fn interface(line: &str) -> Option<InterfaceSample> {
    let (name, counters) = line.split_once(':')?;
    let counters: Vec<&str> = counters.split_whitespace().collect();
    let counter = |at: usize| Some((*counters.get(at)?).to_owned());
    Some(InterfaceSample {
        name: name.trim().to_owned(),
        rx_bytes: counter(0)?,
        rx_packets: counter(1)?,
        rx_errors: counter(2)?,
        rx_dropped: counter(3)?,
        tx_bytes: counter(8)?,
        tx_packets: counter(9)?,
        tx_errors: counter(10)?,
        tx_dropped: counter(11)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_reads_as_zero_in_both_versions() {
        assert_eq!(limit("max\n"), 0);
        assert_eq!(limit("9223372036854771712\n"), 0);
        assert_eq!(limit("1048576\n"), 1 << 20);
    }

    #[test]
    fn fields_are_found_by_their_whole_names() {
        let stat = "pgfault_x 1\npgfault 2\noom_kill 3\n";
        assert_eq!(fields(stat, ["oom_kill", "absent", "pgfault"]), [3, 0, 2]);
    }

    #[test]
    fn pressure_is_read_with_and_without_its_second_line() {
        let some = "some avg10=1.50 avg60=0.20 avg300=0.03 total=123456\n";
        let read = pressure(some);
        assert_eq!((read.some.avg10, read.some.avg300, read.some.total.as_str()), (1.5, 0.03, "123456"));
        assert_eq!(read.full.total, "0");
        let both = pressure(&format!("{some}full avg10=0.10 avg60=0.00 avg300=0.00 total=7\n"));
        assert_eq!((both.full.avg10, both.full.total.as_str()), (0.1, "7"));
    }

    #[test]
    fn interfaces_are_read_without_the_loopback() {
        let text = "Inter-|   Receive  |  Transmit\n face |bytes ...\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n\
                    eth0:1234 9 5 0 0 0 0 0 4321 8 6 0 0 0 0 0\n";
        let found = interfaces(text);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].name.as_str(), found[0].rx_bytes.as_str(), found[0].tx_errors.as_str()),
            ("eth0", "1234", "6")
        );
    }
}
