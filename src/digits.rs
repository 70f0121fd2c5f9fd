//! Decimal digits, eight at a time.

/// The digits that a text begins with, `max` of them at most (18 fit 63 bits): the number they are, and how many.
#[must_use]
pub fn leading(text: &[u8], max: usize) -> (i64, usize) {
    let (mut number, mut count) = (0_i64, 0);
    while let Some(chunk) = text[count..].first_chunk() {
        let (value, found) = eight(u64::from_le_bytes(*chunk));
        if count + found > max {
            break;
        }
        number = number * POWERS[found] + value;
        count += found;
        if found < 8 {
            return (number, count);
        }
    }
    // The end of the text, or of what is wanted.
    for digit in text[count..].iter().take(max - count).take_while(|digit| digit.is_ascii_digit()) {
        number = number * 10 + i64::from(digit - b'0');
        count += 1;
    }
    (number, count)
}

const POWERS: [i64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The same of eight bytes, the first being the least significant.
fn eight(text: u64) -> (i64, usize) {
    let values = text ^ 0x3030_3030_3030_3030;
    // Sets the highest bit of every byte beyond 9; a carry can spoil only the bytes after such a one.
    let others = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
    let count = (others.trailing_zeros() / 8) as usize;
    if count == 0 {
        return (0, 0);
    }
    // Zeros ahead of the digits, then pairs, then fours, then all.
    let digits = values << (64 - 8 * count);
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let high = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(100 + (1_000_000 << 32));
    let low = ((pairs >> 16) & 0x0000_00ff_0000_00ff).wrapping_mul(1 + (10_000 << 32));
    ((high.wrapping_add(low) >> 32) as u32 as i64, count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_read_as_digit_by_digit(text in "[0-9]{0,30}[ -~]{0,3}|[\\x00-\\xff0-9]{0,30}", max in 0_usize..=18) {
            let digits: String = text.chars().take_while(char::is_ascii_digit).take(max).collect();
            prop_assert_eq!(leading(text.as_bytes(), max), (digits.parse().unwrap_or(0), digits.len()));
        }

        #[test]
        fn bytes_that_are_no_text_end_a_number(number in 0..100_000_000_i64, after: [u8; 8]) {
            let mut text = number.to_string().into_bytes();
            text.extend(after.iter().filter(|byte| !byte.is_ascii_digit()));
            prop_assert_eq!(leading(&text, 18), (number, number.to_string().len()));
        }
    }
}
