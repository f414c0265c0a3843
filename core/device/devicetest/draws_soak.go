//go:build soak && !js

package devicetest

// draws is how many random cases the suite runs.
const draws = 600
