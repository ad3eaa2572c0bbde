/* SPDX-License-Identifier: Apache-2.0 */
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.*;
import java.nio.file.attribute.*;
import java.util.*;
import java.util.concurrent.*;

/** Files9p DIRECTORY files N | count N | expect N | journal N | journal-check N: what Java programs do with files. */
public class Files9p {
	static void check(boolean ok, String what) {
		if (!ok)
			throw new AssertionError(what);
	}

	/** Many small files, made, moved, read and removed by several threads. */
	static void files(Path top, int n) throws Exception {
		ExecutorService pool = Executors.newFixedThreadPool(4);
		List<Future<Void>> all = new ArrayList<>();
		for (int t = 0; t < 4; t++) {
			final Path mine = Files.createDirectories(top.resolve("t" + t));
			all.add(pool.submit(() -> {
				for (int i = 0; i < n; i++) {
					Path f = mine.resolve("f" + i), tmp = mine.resolve("f" + i + ".tmp");
					Files.write(tmp, ("content " + i).getBytes());
					Files.move(tmp, f, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
					check(Files.readString(f).equals("content " + i), "content");
				}
				return null;
			}));
		}
		for (Future<Void> f : all)
			f.get();
		pool.shutdown();
		try (var s = Files.walk(top)) {
			check(s.filter(Files::isRegularFile).count() == 4L * n, "all are there");
		}
		Path f = top.resolve("t0/f0");
		Files.setPosixFilePermissions(f, PosixFilePermissions.fromString("rw-r-----"));
		check(PosixFilePermissions.toString(Files.getPosixFilePermissions(f)).equals("rw-r-----"), "permissions");
		Files.setLastModifiedTime(f, FileTime.fromMillis(1234567890123L));
		check(Files.getLastModifiedTime(f).toMillis() == 1234567890123L, "time");
		Files.createLink(top.resolve("link"), f);
		check((int) Files.getAttribute(f, "unix:nlink") == 2, "nlink");
		try {
			Files.createFile(f);
			check(false, "exists");
		} catch (FileAlreadyExistsException e) {
			/* as it should be */
		}
		locks(top.resolve("lock"));
		mapped(top.resolve("mapped"));
		try (var s = Files.walk(top)) {
			for (Path p : (Iterable<Path>) s.sorted(Comparator.reverseOrder())::iterator)
				if (!p.equals(top))
					Files.delete(p);
		}
	}

	static void locks(Path p) throws Exception {
		try (FileChannel a = FileChannel.open(p, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
			FileLock l = a.lock(10, 20, false);
			try {
				a.tryLock(15, 1, false);
				check(false, "a lock of this JVM overlaps");
			} catch (OverlappingFileLockException e) {
				/* as it should be */
			}
			check(a.tryLock(0, 10, true).isShared(), "shared");
			l.release();
			check(a.tryLock(10, 20, true) != null, "free again");
		}
	}

	static void mapped(Path p) throws Exception {
		try (RandomAccessFile f = new RandomAccessFile(p.toFile(), "rw"); FileChannel c = f.getChannel()) {
			MappedByteBuffer m = c.map(FileChannel.MapMode.READ_WRITE, 0, 1 << 20);
			for (int i = 0; i < 1 << 20; i += 4096)
				m.putInt(i, i);
			m.force();
			ByteBuffer b = ByteBuffer.allocate(4);
			c.read(b, 40960);
			check(b.getInt(0) == 40960, "mapped");
		}
	}

	/** Adds one to a number in a file, n times, under a lock that all JVMs share. */
	static void count(Path top, int n) throws IOException {
		for (int i = 0; i < n; i++)
			try (FileChannel c = FileChannel.open(top.resolve("counter"), StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
			     FileLock l = c.lock()) {
				ByteBuffer b = ByteBuffer.allocate(8);
				long v = c.read(b, 0) == 8 ? b.getLong(0) : 0;
				b.clear();
				b.putLong(v + 1).flip();
				c.write(b, 0);
			}
	}

	static void journal(Path top, int n) throws IOException {
		try (FileChannel c = FileChannel.open(top.resolve("journal"), StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.APPEND)) {
			for (int i = 1; i <= n; i++) {
				c.write(ByteBuffer.wrap(String.format("%09d\n", i).getBytes()));
				c.force(false);
				System.out.println("acked " + i);
			}
		}
	}

	static void journalCheck(Path top, int n) throws IOException {
		int i = 0;
		for (String line : Files.readAllLines(top.resolve("journal")))
			if (line.length() == 9 && i < n)
				check(Integer.parseInt(line) == ++i, "line " + i);
		check(i == n, "lines are missing: " + i + " of " + n);
	}

	public static void main(String[] args) throws Exception {
		Path top = Path.of(args[0]);
		int n = Integer.parseInt(args[2]);
		switch (args[1]) {
		case "files" -> files(Files.createDirectories(top.resolve("files")), n);
		case "count" -> count(top, n);
		case "expect" -> {
			long v = ByteBuffer.wrap(Files.readAllBytes(top.resolve("counter"))).getLong(0);
			check(v == n, "counted " + v + " instead of " + n);
		}
		case "journal" -> journal(top, n);
		case "journal-check" -> journalCheck(top, n);
		default -> throw new IllegalArgumentException(args[1]);
		}
	}
}
