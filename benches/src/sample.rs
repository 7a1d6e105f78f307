//! Medians, plain and round by round.

/// The middle value; `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *sorted.get(sorted.len() / 2 - 1)?;
    Some(f64::midpoint(lower, upper))
}

/// The median of what `combine` makes of each round. The values of one round were measured next to
/// each other, so that a machine that grows slower over the run does not change the outcome.
pub fn median_of_rounds(
    a: &[f64],
    b: &[f64],
    c: &[f64],
    combine: impl Fn(f64, f64, f64) -> f64,
) -> Option<f64> {
    let rounds = a.iter().zip(b).zip(c);
    let values: Vec<f64> = rounds.map(|((a, b), c)| combine(*a, *b, *c)).collect();
    median(&values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_odd_and_even_counts() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), Some(3.0));
    }

    #[test]
    fn rounds_cancel_drift() {
        // Twice as slow throughout, while the machine itself slows down tenfold.
        let native = [1.0, 2.0, 5.0, 10.0];
        let km = [2.0, 4.0, 10.0, 20.0];
        let unit = [1.0; 4];
        let ratio = |k, n, u| k / n / u;
        assert_eq!(median_of_rounds(&km, &native, &unit, ratio), Some(2.0));
        assert_eq!(median_of_rounds(&km, &[], &unit, ratio), None);
    }
}
