// The distribution function of a standard normal, Φ, and its derivative: to about 10⁻⁷ or, with TANH, by the approximation
// with the tanh of √(2/π)·(x + 0.044715·x³), which is a logistic function of twice that.

#import element

#ifdef TANH

fn normal_cdf(x: E) -> E {
    return E(1.0) / (E(1.0) + exp(-x * (1.5957691216057308 + 0.07135481282742217 * x * x)));
}

// The derivative where Φ is p. Far out x² may overflow beside the 0 that p·(1-p) is.
fn normal_density(x: E, p: E) -> E {
    let d = p * (E(1.0) - p) * (1.5957691216057308 + 0.21406443848226651 * x * x);
    return select(d, E(), (p == E()) | (p == E(1.0)));
}

#else

// 0.5·erfc(-x/√2), with the fit of erfc by Press et al., "Numerical recipes", section 6.2 (erfcc).
fn normal_cdf(x: E) -> E {
    let z = abs(x) * 0.7071067811865476;
    let t = E(1.0) / (E(1.0) + 0.5 * z);
    var fit = t * 0.17087277 - 0.82215223;
    fit = t * fit + 1.48851587;
    fit = t * fit - 1.13520398;
    fit = t * fit + 0.27886807;
    fit = t * fit - 0.18628806;
    fit = t * fit + 0.09678418;
    fit = t * fit + 0.37409196;
    fit = t * fit + 1.00002368;
    let tail = 0.5 * t * exp(t * fit - 1.26551223 - z * z);
    return select(tail, E(1.0) - tail, x > E());
}

fn normal_density(x: E, p: E) -> E {
    return exp(-0.5 * x * x) * 0.3989422804014327;
}

#endif
