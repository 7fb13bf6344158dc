//! The kernel's counter files as numbers. Pure: text in, numbers out; what is absent counts as zero.

use super::messages::InterfaceSample;

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

/// The value after `key` in a file of `key value` lines.
pub fn field(text: &str, key: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    value.map_or(0, number)
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
        rx_errors: counter(2)?,
        tx_bytes: counter(8)?,
        tx_errors: counter(10)?,
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
    fn a_field_is_found_by_its_whole_name() {
        let stat = "pgfault_x 1\npgfault 2\noom_kill 3\n";
        assert_eq!(field(stat, "pgfault"), 2);
        assert_eq!(field(stat, "absent"), 0);
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
