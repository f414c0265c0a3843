// What the kernels of attention share. Queries are [batch · tq, heads · head_dim], keys and values
// [batch · tk, kv_heads · head_dim]; a head is STEPS elements, or groups of four.

struct Params {
    first: u32,
    count: u32,    // pieces of work
    queries: u32,  // batch · tq
    keys: u32,     // batch · tk
    tq: u32,
    tk: u32,
    heads: u32,
    kv_heads: u32,
    window: i32,   // how many positions back a query sees, itself included; 0 is all
    scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;

// Segment and position of a query and of a key. Segment 0 is padding, which sees nothing and is seen by nothing; -1 is a
// prefix, seen from every other.
fn visible(query: vec2i, key: vec2i) -> bool {
    return query.x != 0 && (key.x == query.x || key.x == -1) && key.y <= query.y && (p.window == 0 || query.y - key.y < p.window);
}
