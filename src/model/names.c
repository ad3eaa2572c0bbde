/* SPDX-License-Identifier: Apache-2.0 */
/* Names for containers whose user gave none: docker's pattern, an adjective and the surname of somebody who found
 * something out. */
#include <stdint.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/id.h"
#include "model/container.h"

#include <ctype.h>
#include <string.h>

/* clang-format off */
static const char *const adjectives[] = {
	"able", "agile", "airy", "amber", "apt", "arctic", "ardent", "autumn", "awake", "azure", "balmy",
	"bold", "brave", "breezy", "bright", "brisk", "broad", "calm", "candid", "careful", "cheerful",
	"civil", "clear", "clever", "coastal", "cool", "cosmic", "crisp", "curious", "daring", "dazzling",
	"deep", "deft", "dapper", "distant", "dreamy", "eager", "early", "earnest", "easy", "elated",
	"elegant", "epic", "exact", "fair", "faithful", "fast", "fearless", "festive", "fine", "firm", "fleet",
	"fluent", "fond", "free", "fresh", "friendly", "frosty", "gallant", "generous", "gentle", "gifted",
	"glad", "gleaming", "golden", "good", "graceful", "grand", "green", "happy", "hardy", "hearty",
	"helpful", "honest", "hopeful", "humble", "ideal", "jolly", "jovial", "joyful", "keen", "kind",
	"lively", "loyal", "lucid", "lucky", "lunar", "mellow", "merry", "mighty", "mild", "modest", "musing",
	"neat", "nimble", "noble", "northern", "open", "orderly", "patient", "peaceful", "placid", "polite",
	"proud", "quick", "quiet", "quirky", "rapid", "ready", "robust", "rosy", "royal", "sandy", "serene",
	"sharp", "shiny", "silent", "silver", "sleek", "smooth", "snowy", "sober", "solar", "solid", "spry",
	"stable", "starry", "steady", "stoic", "strong", "sturdy", "subtle", "sunny", "swift", "tender",
	"tidal", "tidy", "tranquil", "trusting", "upbeat", "valiant", "vibrant", "vigilant", "vivid", "warm",
	"wild", "windy", "wise", "witty", "wonderful", "young", "zealous", "zen", "zesty",
};

static const char *const surnames[] = {
	"abel", "agnesi", "albattani", "alhazen", "allen", "almeida", "ampere", "anning", "archimedes",
	"aristotle", "aryabhata", "avicenna", "babbage", "bacon", "banach", "banneker", "banting", "bardeen",
	"bartik", "bassi", "bell", "bernoulli", "berners", "bhabha", "bhaskara", "blackwell", "bohr",
	"boltzmann", "boole", "booth", "borg", "bose", "boyle", "brahe", "brahmagupta", "brattain", "brown",
	"bunsen", "cannon", "carson", "cartwright", "cauchy", "cayley", "celsius", "cerf", "chandrasekhar",
	"chatelet", "chatterjee", "chebyshev", "church", "clarke", "cori", "coulomb", "cray", "curie",
	"curran", "dalton", "darwin", "davinci", "dewdney", "diffie", "dijkstra", "dirac", "driscoll",
	"easley", "edison", "einstein", "elion", "ellis", "engelbart", "euclid", "euler", "faraday", "feistel",
	"fermat", "fermi", "feynman", "fibonacci", "franklin", "gagarin", "galileo", "galois", "ganguly",
	"gauss", "germain", "goldberg", "goldstine", "goldwasser", "golick", "goodall", "gould", "greider",
	"grothendieck", "haibt", "hamilton", "haslett", "hawking", "heisenberg", "hellman", "hermann",
	"herschel", "hertz", "heyrovsky", "hilbert", "hodgkin", "hofstadter", "hoover", "hopper", "hugle",
	"hypatia", "jackson", "jang", "jemison", "jennings", "jepsen", "johnson", "joliot", "jones", "kalam",
	"kapitsa", "kare", "keldysh", "keller", "kepler", "khayyam", "khorana", "kilby", "kirch", "knuth",
	"kovalevskaya", "lalande", "lamarr", "lamport", "laplace", "leakey", "leavitt", "lederberg", "lehmann",
	"leibniz", "lewin", "lichterman", "liskov", "lovelace", "lumiere", "mahavira", "margulis", "matsumoto",
	"maxwell", "mayer", "mccarthy", "mcclintock", "mclean", "mcnulty", "meitner", "mendel", "mendeleev",
	"meninsky", "merkle", "mestorf", "mirzakhani", "montalcini", "moore", "morse", "moser", "murdock",
	"napier", "nash", "neumann", "newton", "nightingale", "nobel", "noether", "northcutt", "noyce",
	"panini", "pare", "pascal", "pasteur", "payne", "perlman", "pike", "planck", "poincare", "poitras",
	"proskuriakova", "ptolemy", "raman", "ramanujan", "rhodes", "ride", "riemann", "ritchie", "robinson",
	"roentgen", "rosalind", "rubin", "saha", "sammet", "sanderson", "satoshi", "shamir", "shannon", "shaw",
	"shirley", "shockley", "shtern", "sinoussi", "snyder", "solomon", "spence", "stonebraker",
	"sutherland", "swanson", "swartz", "swirles", "taussig", "tesla", "tharp", "thompson", "torvalds",
	"tu", "turing", "varahamihira", "vaughan", "villani", "visvesvaraya", "volhard", "wescoff", "wilbur",
	"wiles", "williams", "williamson", "wilson", "wing", "wozniak", "wright", "wu", "yalow", "yonath",
	"zhukovsky",
};
/* clang-format on */

void sk_name_random(char buf[64], unsigned n)
{
	uint32_t pick[2];

	sk_random(pick, sizeof(pick));
	snprintf(buf, 64, "%s_%s", adjectives[pick[0] % SK_ARRAY_SIZE(adjectives)],
		 surnames[pick[1] % SK_ARRAY_SIZE(surnames)]);
	if (n) {
		char base[48];

		snprintf(base, sizeof(base), "%.40s", buf);
		snprintf(buf, 64, "%s%u", base, n);
	}
}

bool sk_is_docker_name(const char *s)
{
	size_t i;

	if (!isalnum((unsigned char)s[0]) || !s[1])
		return false;
	for (i = 1; s[i]; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("_.-", s[i]))
			return false;
	return i <= 255;
}
