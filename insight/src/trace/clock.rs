//! From the ticks of events to nanoseconds.

use goroutines_sched::ClockPoint;

/// Moments of which both clocks are known, in their order. Between two of them the rate is taken as constant; beyond the
/// last, and before the first, that of the neighbours.
#[derive(Debug, Default)]
pub(super) struct Clock {
    points: Vec<ClockPoint>,
}

impl Clock {
    /// A moment after those before.
    pub(super) fn add(&mut self, point: ClockPoint) {
        let after =
            |last: &ClockPoint| point.ticks > last.ticks && point.nanoseconds > last.nanoseconds;
        if self.points.last().is_none_or(after) {
            self.points.push(point);
        }
    }

    /// The moment of the last point, 0 without one.
    pub(super) fn last_ticks(&self) -> u64 {
        self.points.last().map_or(0, |point| point.ticks)
    }

    /// The system's monotonic clock at `ticks`, in nanoseconds.
    pub(super) fn at(&self, ticks: u64) -> u64 {
        let after = self.points.partition_point(|point| point.ticks <= ticks);
        let (from, to) = match self.points.len() {
            0 => return ticks,
            1 => (self.points[0], self.points[0]),
            count => {
                let right = after.clamp(1, count - 1);
                (self.points[right - 1], self.points[right])
            }
        };
        let (ticks_between, between) = match to.ticks - from.ticks {
            0 => (1, 1), // a single point: the rate is not known
            length => (length, to.nanoseconds - from.nanoseconds),
        };
        let away = i128::from(ticks) - i128::from(from.ticks);
        let away = away * i128::from(between) / i128::from(ticks_between);
        let moment = i128::from(from.nanoseconds) + away;
        u64::try_from(moment.max(0)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(points: &[(u64, u64)]) -> Clock {
        let mut clock = Clock::default();
        for &(ticks, nanoseconds) in points {
            clock.add(ClockPoint { ticks, nanoseconds });
        }
        clock
    }

    #[test]
    fn between_two_points_the_rate_is_theirs_and_beyond_that_of_the_neighbours() {
        let clock = clock(&[(1000, 500), (2000, 1000), (4000, 1500)]);
        for (ticks, nanoseconds) in [
            (1000, 500),
            (1500, 750),
            (2000, 1000),
            (3000, 1250),
            (4000, 1500),
            (8000, 2500),
            (800, 400),
        ] {
            assert_eq!(clock.at(ticks), nanoseconds, "{ticks}");
        }
        assert_eq!(clock.last_ticks(), 4000);
    }

    #[test]
    fn it_never_goes_backwards_and_survives_few_points() {
        assert_eq!(clock(&[]).at(77), 77);
        assert_eq!(clock(&[(100, 5)]).at(100), 5);
        assert_eq!(clock(&[(100, 5)]).at(0), 0);
        // A point that is no progress is left out.
        let clock = clock(&[(10, 10), (10, 12), (9, 20), (20, 11), (30, 200)]);
        let moments: Vec<u64> = (0..100).map(|ticks| clock.at(ticks)).collect();
        assert!(moments.is_sorted(), "{moments:?}");
    }
}
