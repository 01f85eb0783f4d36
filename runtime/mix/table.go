package mix

// table holds the mixes, from few bits to many. What a mix does not mention
// gets its base type.
var table = []*Mix{
	{Name: "Q1_0", FileType: 40, base: "q1_0"},
	{Name: "IQ1_S", FileType: 24, base: "iq1_s", NeedsImportance: true, output: "q5_k", coarse: true, rules: coarse("q2_k", "iq2_xxs")},
	{Name: "IQ1_M", FileType: 31, base: "iq1_m", NeedsImportance: true, output: "q5_k", coarse: true, rules: coarse("q2_k", "iq2_xxs")},
	{Name: "TQ1_0", FileType: 36, base: "tq1_0", rules: rules{embedding: always("q4_k")}},
	{Name: "TQ2_0", FileType: 37, base: "tq2_0", rules: rules{embedding: always("q4_k")}},
	{Name: "Q2_0", FileType: 41, base: "q2_0", rules: rules{embedding: always("q4_k")}},

	{Name: "IQ2_XXS", FileType: 19, base: "iq2_xxs", NeedsImportance: true, output: "q5_k", coarse: true, rules: coarse("q2_k", "")},
	{Name: "IQ2_XS", FileType: 20, base: "iq2_xs", NeedsImportance: true, output: "q5_k", coarse: true, rules: coarse("q2_k", "")},
	{Name: "IQ2_S", FileType: 28, base: "iq2_xs", NeedsImportance: true, output: "q5_k", coarse: true, rules: coarse("iq3_s", "iq3_s")},
	{Name: "IQ2_M", FileType: 29, base: "iq2_s", NeedsImportance: true, output: "q5_k", coarse: true, rules: coarse("iq3_s", "iq3_s")},
	{Name: "Q2_K_S", FileType: 21, base: "q2_k", NeedsImportance: true, rules: rules{
		attentionV: sharedHeads("q4_k"),
		down:       firstPart(8, "q4_k"),
	}},
	{Name: "Q2_K", FileType: 10, base: "q2_k", rules: rules{
		attentionV:      either(sharedHeads("q4_k"), always("q3_k")),
		attentionOutput: attentionOut("q5_k", "q3_k"),
		down:            always("q3_k"),
	}},

	{Name: "IQ3_XXS", FileType: 23, base: "iq3_xxs", NeedsImportance: true, output: "q5_k", rules: rules{
		embedding:       always("iq3_s"),
		attentionQ:      always("iq2_s"),
		attentionK:      always("iq2_s"),
		attentionV:      either(sharedHeads("q4_k"), unweighted(always("iq3_s"))),
		attentionOutput: attentionOut("q5_k", "iq3_s"),
		down:            unweighted(either(firstPart(8, "q4_k"), always("q3_k"))),
	}},
	{Name: "IQ3_XS", FileType: 22, base: "iq3_s", NeedsImportance: true, rules: rules{
		attentionQ:      always("iq3_xxs"),
		attentionK:      always("iq3_xxs"),
		attentionV:      sharedHeads("q4_k"),
		attentionOutput: attentionOut("q5_k", ""),
		gate:            middle("iq3_xxs"),
		up:              middle("iq3_xxs"),
	}},
	{Name: "Q3_K_S", FileType: 11, base: "q3_k", rules: rules{
		attentionOutput: attentionOut("q5_k", ""),
	}},
	{Name: "IQ3_S", FileType: 26, base: "iq3_s", rules: rules{
		attentionV:      sharedHeads("q4_k"),
		attentionOutput: attentionOut("q5_k", ""),
	}},
	{Name: "IQ3_M", FileType: 27, base: "iq3_s", rules: rules{
		attentionV:      always("q4_k"),
		attentionOutput: attentionOut("q5_k", "q4_k"),
		down:            either(firstPart(8, "q4_k"), eightExperts(moreBits("q4_k"), nil)),
	}},
	{Name: "Q3_K_M", Aliases: []string{"Q3_K"}, FileType: 12, base: "q3_k", rules: rules{
		attentionV:      either(first(2, "q5_k"), always("q4_k")),
		attentionOutput: attentionOut("q5_k", "q4_k"),
		down:            either(firstPart(16, "q5_k"), falcon(moreBits("q4_k"), always("q4_k"))),
	}},
	{Name: "Q3_K_L", FileType: 13, base: "q3_k", rules: rules{
		attentionV:      always("q5_k"),
		attentionOutput: falcon(always("q4_k"), attentionOut("", "q5_k")),
		down:            falcon(always("q4_k"), always("q5_k")),
	}},

	{Name: "MXFP4_MOE", FileType: 38, base: "mxfp4", output: "q8_0", single: "q8_0"},
	{Name: "IQ4_XS", FileType: 30, base: "iq4_xs", rules: rules{
		attentionV:      sharedHeads("q5_k"),
		attentionOutput: attentionOut("q5_k", ""),
		down:            unweighted(firstPart(8, "q5_k")),
	}},
	{Name: "IQ4_NL", FileType: 25, base: "iq4_nl", rules: rules{
		attentionV:      sharedHeads("q5_k"),
		attentionOutput: attentionOut("q5_k", ""),
		down:            unweighted(firstPart(8, "q5_k")),
	}},
	{Name: "Q4_0", FileType: 2, base: "q4_0", rules: rules{
		down: weighted(firstPart(8, "q4_1")),
	}},
	{Name: "Q4_1", FileType: 3, base: "q4_1"},
	{Name: "Q4_K_S", FileType: 14, base: "q4_k", rules: rules{
		attentionV:      first(4, "q5_k"),
		attentionOutput: attentionOut("q5_k", ""),
		down:            falcon(nil, firstPart(8, "q5_k")),
	}},
	{Name: "Q4_K_M", Aliases: []string{"Q4_K"}, FileType: 15, base: "q4_k", rules: rules{
		attentionV:      moreBits("q6_k"),
		attentionOutput: attentionOut("q5_k", ""),
		down:            falcon(either(firstPart(16, "q6_k"), moreBits("q5_k")), moreBits("q6_k")),
	}},

	{Name: "Q5_0", FileType: 8, base: "q5_0", rules: rules{
		down: weighted(firstPart(8, "q5_1")),
	}},
	{Name: "Q5_1", FileType: 9, base: "q5_1"},
	{Name: "Q5_K_S", FileType: 16, base: "q5_k"},
	{Name: "Q5_K_M", Aliases: []string{"Q5_K"}, FileType: 17, base: "q5_k", rules: rules{
		attentionV: moreBits("q6_k"),
		down:       moreBits("q6_k"),
	}},
	{Name: "Q6_K", FileType: 18, base: "q6_k"},
	{Name: "Q8_0", FileType: 7, base: "q8_0", output: "q8_0"},

	{Name: "F16", FileType: 1, base: "f16"},
	{Name: "BF16", FileType: 32, base: "bf16"},
	{Name: "F32", FileType: 0, base: "f32"},
}

// coarse are the rules of the IQ1 and IQ2 mixes: finer is what the tensors that
// suffer most get, out that of the attention's output.
func coarse(finer, out string) rules {
	return rules{
		embedding:       always(finer),
		attentionK:      eightExperts(always("q4_k"), nil),
		attentionV:      either(sharedHeads("q4_k"), fourExperts("q4_k"), always(finer)),
		attentionOutput: eightExperts(always("q5_k"), always(out)),
		down:            firstPart(8, finer),
	}
}
