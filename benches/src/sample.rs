//! Medians, plain and pair by pair.

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

/// The median of what `combine` makes of each pair. Two values of one pair were measured next to
/// each other, so that a machine that grows slower over the run does not change the outcome.
pub fn median_of_pairs(a: &[f64], b: &[f64], combine: impl Fn(f64, f64) -> f64) -> Option<f64> {
    let pairs: Vec<f64> = a.iter().zip(b).map(|(a, b)| combine(*a, *b)).collect();
    median(&pairs)
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
    fn pairs_cancel_drift() {
        // Twice as slow throughout, while the machine itself slows down tenfold.
        let native = [1.0, 2.0, 5.0, 10.0];
        let km = [2.0, 4.0, 10.0, 20.0];
        assert_eq!(median_of_pairs(&km, &native, |k, n| k / n), Some(2.0));
        assert_eq!(median_of_pairs(&km, &[], |k, n| k / n), None);
    }
}
