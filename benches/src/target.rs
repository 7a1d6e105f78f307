//! Promises, and how numbers are shown.

/// How numbers are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Mebibytes,
    /// The guest measured the time of one MiB.
    GibibytesPerSecond,
}

impl Unit {
    pub fn show(self, raw: f64) -> String {
        match self {
            Self::Nanoseconds => format!("{raw:.1} ns"),
            Self::Microseconds => format!("{:.2} µs", raw / 1e3),
            Self::Milliseconds => format!("{:.2} ms", raw / 1e6),
            Self::Mebibytes => format!("{:.2} MiB", raw / 1024.0),
            Self::GibibytesPerSecond => format!("{:.2} GiB/s", 1e9 / 1024.0 / raw),
        }
    }
}

/// The columns that targets speak of. The columns of other sandboxes have their names.
pub const NATIVE: &str = "native";
pub const KM: &str = "km";
/// km, and the program is linked with km's own C library.
pub const RUNTIME: &str = "km runtime";
pub const FLOOR: &str = "floor";
pub const ROUND_TRIP: &str = "round trip";

/// A promise. The columns it speaks of are compared round by round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// km − native is at most this.
    Above(f64),
    /// km − native is at most this many floors.
    FloorsAbove(f64),
    /// km − native is at most this many of the bare VM's round trips.
    RoundTripsAbove(f64),
    /// km is at most this many of the bare VM's round trips.
    RoundTrips(f64),
    /// km / native is at most this.
    Times(f64),
    /// native / km is at least this: the share of native speed that is left.
    Speed(f64),
    /// km / floor is at most this.
    TimesFloor(f64),
    /// km / the other sandbox is at most this.
    TimesPeer(&'static str, f64),
    /// km with its own C library / km with another one is at most this.
    RuntimeTimes(f64),
}

impl Target {
    /// The column that the promise is about.
    pub fn subject(self) -> &'static str {
        match self {
            Self::RuntimeTimes(_) => RUNTIME,
            _ => KM,
        }
    }

    /// The column that is taken off it.
    pub fn base(self) -> Option<&'static str> {
        match self {
            Self::Above(_) | Self::FloorsAbove(_) | Self::RoundTripsAbove(_) => Some(NATIVE),
            _ => None,
        }
    }

    /// The column that what is left is measured in.
    pub fn scale(self) -> Option<&'static str> {
        match self {
            Self::Above(_) => None,
            Self::Times(_) | Self::Speed(_) => Some(NATIVE),
            Self::FloorsAbove(_) | Self::TimesFloor(_) => Some(FLOOR),
            Self::RoundTripsAbove(_) | Self::RoundTrips(_) => Some(ROUND_TRIP),
            Self::TimesPeer(peer, _) => Some(peer),
            Self::RuntimeTimes(_) => Some(KM),
        }
    }

    /// One number from the subject's sample and those next to it: 0 where there is no base, 1
    /// where there is no scale.
    pub fn combine(self, subject: f64, base: f64, scale: f64) -> f64 {
        match self {
            Self::Speed(_) => scale / subject,
            _ => (subject - base) / scale,
        }
    }

    pub fn met(self, value: f64) -> bool {
        match self {
            Self::Speed(least) => value >= least,
            Self::Above(most)
            | Self::FloorsAbove(most)
            | Self::RoundTripsAbove(most)
            | Self::RoundTrips(most)
            | Self::Times(most)
            | Self::TimesFloor(most)
            | Self::TimesPeer(_, most)
            | Self::RuntimeTimes(most) => value <= most,
        }
    }

    pub fn show_value(self, unit: Unit, value: f64) -> String {
        let sign = if value < 0.0 { "−" } else { "+" };
        match self {
            Self::Above(_) => format!("{sign}{}", unit.show(value.abs())),
            Self::FloorsAbove(_) | Self::RoundTripsAbove(_) => format!("{sign}{:.3}", value.abs()),
            _ => format!("{value:.3}"),
        }
    }

    pub fn show(self, unit: Unit) -> String {
        match self {
            Self::Above(most) => format!("≤ native + {}", unit.show(most)),
            Self::FloorsAbove(most) => format!("≤ native + {most} × floor"),
            Self::RoundTripsAbove(most) => format!("≤ native + {most} round trips"),
            Self::RoundTrips(most) => format!("≤ {most} round trips"),
            Self::Times(most) => format!("≤ {most} × native"),
            Self::Speed(least) => format!("≥ {least} of native"),
            Self::TimesFloor(most) => format!("≤ {most} × floor"),
            Self::TimesPeer(peer, most) => format!("≤ {most} × {peer}"),
            Self::RuntimeTimes(most) => format!("{RUNTIME} ≤ {most} × {KM}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_compare_the_right_way_round() {
        let speed = Target::Speed(0.98);
        assert!(speed.met(speed.combine(100.0, 0.0, 99.0)));
        assert!(!speed.met(speed.combine(100.0, 0.0, 97.0)));
        let times = Target::Times(1.2);
        assert!(times.met(times.combine(119.0, 0.0, 100.0)));
        assert!(!times.met(times.combine(121.0, 0.0, 100.0)));
        let above = Target::Above(5.0);
        assert!(above.met(above.combine(15.0, 10.0, 1.0)));
        assert!(!above.met(above.combine(15.5, 10.0, 1.0)));
        let floors = Target::FloorsAbove(1.3);
        assert!(floors.met(floors.combine(22.0, 10.0, 10.0)));
        assert!(!floors.met(floors.combine(24.0, 10.0, 10.0)));
    }

    #[test]
    fn units() {
        assert_eq!(Unit::Milliseconds.show(2_500_000.0), "2.50 ms");
        assert_eq!(Unit::Mebibytes.show(3072.0), "3.00 MiB");
        // One MiB in 100 µs.
        assert_eq!(Unit::GibibytesPerSecond.show(100_000.0), "9.77 GiB/s");
        let above = Target::Above(1.0);
        assert_eq!(above.show_value(Unit::Milliseconds, -1e6), "−1.00 ms");
        assert_eq!(above.show_value(Unit::Milliseconds, 1e6), "+1.00 ms");
        let trips = Target::RoundTripsAbove(2.0);
        assert_eq!(trips.show_value(Unit::Microseconds, 1.5), "+1.500");
    }
}
