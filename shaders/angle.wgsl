// Sine and cosine of angles of any size, to the last bit or two: those of the language may be inaccurate beyond π, and
// a position times a frequency goes to 10⁵. The angle in quarter turns is a product with 2/π of which only the digits
// around the point are made, in whole numbers (Payne and Hanek, "Radian reduction for trigonometric functions"); what
// remains, within an eighth of a turn, goes through polynomials (Cephes' sinf and cosf).

#import numbers

// Word i of the binary digits of 2/π, of which word 0 stands before the point.
fn two_over_pi(i: u32) -> u32 {
    switch i {
        case 1u: { return 0xA2F9836Eu; }
        case 2u: { return 0x4E441529u; }
        case 3u: { return 0xFC2757D1u; }
        case 4u: { return 0xF534DDC0u; }
        case 5u: { return 0xDB629599u; }
        case 6u: { return 0x3C439041u; }
        default: { return 0u; }
    }
}

// The 32 digits from bit `shift` of word i on.
fn digits(i: u32, shift: u32) -> u32 {
    if (shift == 0u) {
        return two_over_pi(i);
    }
    return (two_over_pi(i) << shift) | (two_over_pi(i + 1u) >> (32u - shift));
}

// Sine and cosine.
fn turn(angle: f32) -> vec2f {
    let bits = bitcast<u32>(angle);
    let size = bits & 0x7fffffffu;
    if (size >= 0x7f800000u) {
        return vec2f(not_a_number(angle));
    }
    var rest = bitcast<f32>(size);
    var quarter = 0u;
    if (size >= 0x3f490fdbu) { // π/4
        // |angle| = mantissa · 2^(exponent - 150); of the product with 2/π in units of 2^-30, the lower 32 bits.
        let mantissa = (size & 0x7fffffu) | 0x800000u;
        let s = (size >> 23u) - 120u;
        let turned = mantissa * digits(s / 32u, s % 32u) + mulhi(mantissa, digits(s / 32u + 1u, s % 32u));
        quarter = (turned + 0x20000000u) >> 30u;
        rest = f32(bitcast<i32>(turned - (quarter << 30u))) * 1.4629180792671596e-9; // π/2 · 2^-30
    }
    let z = rest * rest;
    let s = rest + rest * z * (-1.6666654611e-1 + z * (8.3321608736e-3 - z * 1.9515295891e-4));
    let c = 1.0 - 0.5 * z + z * z * (4.166664568298827e-2 + z * (-1.388731625493765e-3 + z * 2.443315711809948e-5));
    var sc = vec2f(s, c);
    if ((quarter & 1u) == 1u) {
        sc = vec2f(c, s);
    }
    // Quarters 2 and 3 have a negative sine, 1 and 2 a negative cosine.
    if ((quarter & 2u) == 2u) {
        sc.x = -sc.x;
    }
    if (((quarter + 1u) & 2u) == 2u) {
        sc.y = -sc.y;
    }
    if (size != bits) {
        sc.x = -sc.x;
    }
    return sc;
}
