//go:build !js

package cpu

// breathing is for the browser: elsewhere the system lets others run.
func breathing() (rest, end func()) { return nil, func() {} }
