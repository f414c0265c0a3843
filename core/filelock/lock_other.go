//go:build (!unix || solaris || aix) && !js

package filelock

import "os"

// lock always succeeds: the standard library has no locks here.
func lock(*os.File) (bool, error) { return true, nil }
