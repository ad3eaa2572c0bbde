// SPDX-License-Identifier: Apache-2.0
//
// testcontainers.mjs DIRECTORY: what a project's own tests do with the library testcontainers, with the image box: servers on ports that it
// chooses, files and directories brought in, commands, logs, networks with names. DIRECTORY is of the host, and is mounted.
import assert from "node:assert";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { GenericContainer, Network, Wait } from "testcontainers";

const directory = process.argv[2];
mkdirSync(directory, { recursive: true });
writeFileSync(`${directory}/index.html`, "from the host");

const network = await new Network().start();
const web = await new GenericContainer("box:latest")
	.withNetwork(network)
	.withNetworkAliases("web")
	.withExposedPorts(80)
	.withBindMounts([{ source: directory, target: "/site" }])
	.withCopyContentToContainer([{ content: "copied in", target: "/copied.txt" }])
	.withEnvironment({ GREETING: "hello" })
	// After a restart testcontainers reads the log from the time of the start that docker noted, which is after the program's first words.
	.withCommand(["sh", "-c", "sleep 2; echo serving; exec httpd -f -v -p 80 -h /site"])
	.withWaitStrategy(Wait.forAll([Wait.forListeningPorts(), Wait.forLogMessage("serving"), Wait.forHttp("/", 80)]))
	.start();
const answer = await fetch(`http://${web.getHost()}:${web.getMappedPort(80)}/`);
assert.equal(await answer.text(), "from the host");

let done = await web.exec(["sh", "-c", "cat /copied.txt; echo $GREETING; echo made >/site/made; exit 3"]);
assert.equal(done.exitCode, 3);
assert.equal(done.output, "copied inhello\n");
assert.equal(readFileSync(`${directory}/made`, "utf8"), "made\n");

const client = await new GenericContainer("box:latest")
	.withNetwork(network)
	.withCommand(["sh", "-c", "wget -q -O - http://web/ && echo ' done' && exec sleep 1000"])
	.withWaitStrategy(Wait.forLogMessage("from the host done"))
	.start();
done = await client.exec(["nslookup", "host.docker.internal"]);
assert.match(done.output, /10\.0\.2\.2/);
await client.stop();

// several at once
const many = await Promise.all(
	Array.from({ length: 5 }, (_, n) =>
		new GenericContainer("box:latest").withExposedPorts(80).withCommand(["sh", "-c", `mkdir /w; echo ${n} >/w/index.html; exec httpd -f -p 80 -h /w`])
			.withWaitStrategy(Wait.forHttp("/", 80)).start()));
for (const [n, one] of many.entries())
	assert.equal(await (await fetch(`http://${one.getHost()}:${one.getMappedPort(80)}/`)).text(), `${n}\n`);
await Promise.all(many.map((one) => one.stop()));

const image = await GenericContainer.fromDockerfile(directory.replace(/[^/]*$/, "context")).build();
const built = await image.withWaitStrategy(Wait.forLogMessage("built")).start();
await built.stop();
await web.restart();
assert.equal((await fetch(`http://${web.getHost()}:${web.getMappedPort(80)}/made`)).status, 200);
await web.stop();
await network.stop();
console.log("all done");
