package op_test

import (
	"testing"

	"hone/core/op"
)

var zerosLikeSuite = register("zeros_like", program{"3x5", func(s *source) {
	s.want(op.ZerosLike(s.Builder, s.random(3, 5)), make([]float64, 15))
}})

func TestZerosLike(t *testing.T) { zerosLikeSuite.check(t) }
