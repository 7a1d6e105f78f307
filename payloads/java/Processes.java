import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

// Child processes, mapped files, sockets, a pool for parallel streams, and the hook at the end.
public class Processes {
    public static void main(String[] args) throws Exception {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("at the end")));
        Process child = new ProcessBuilder("sh", "-c", "read x; echo got $x; exit 3").start();
        child.getOutputStream().write("text\n".getBytes());
        child.getOutputStream().close();
        System.out.println(new BufferedReader(new InputStreamReader(child.getInputStream())).readLine());
        System.out.println("exit " + child.waitFor());
        child = new ProcessBuilder("sleep", "100").start();
        System.out.println(child.waitFor(100, TimeUnit.MILLISECONDS) + " " + child.isAlive());
        child.destroyForcibly();
        System.out.println("exit " + child.waitFor());
        try {
            new ProcessBuilder("/no/such/program").start();
        } catch (java.io.IOException e) {
            System.out.println(e.getMessage());
        }
        Path file = Path.of("file");
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ,
                StandardOpenOption.WRITE)) {
            MappedByteBuffer map = channel.map(FileChannel.MapMode.READ_WRITE, 0, 8192);
            map.putInt(4096, 0x6b6d2a);
            map.force();
        }
        System.out.println(Files.size(file) + " " + Files.readAllBytes(file)[4099]);
        try (ServerSocketChannel server = ServerSocketChannel.open().bind(null)) {
            CompletableFuture<Void> echo = CompletableFuture.runAsync(() -> {
                try (SocketChannel peer = server.accept()) {
                    ByteBuffer buffer = ByteBuffer.allocate(100);
                    peer.read(buffer);
                    peer.write(buffer.flip());
                } catch (java.io.IOException e) {
                    throw new RuntimeException(e);
                }
            });
            try (SocketChannel client = SocketChannel.open(server.getLocalAddress())) {
                client.write(ByteBuffer.wrap("echo".getBytes()));
                ByteBuffer buffer = ByteBuffer.allocate(100);
                client.read(buffer);
                System.out.println(new String(buffer.array(), 0, buffer.position()));
            }
            echo.get();
        }
        System.out.println(IntStream.range(0, 1_000_000).parallel().filter(n -> n % 7 == 0).sum());
        Thread[] threads = new Thread[20];
        int[] seen = new int[threads.length];
        for (int i = 0; i < threads.length; i++) {
            int me = i;
            threads[i] = new Thread(() -> seen[me] = me);
            threads[i].start();
        }
        for (Thread thread : threads)
            thread.join();
        System.out.println(IntStream.of(seen).sum());
        Thread waiting = new Thread(() -> {
            try {
                Thread.sleep(100_000);
            } catch (InterruptedException e) {
                System.out.println("interrupted");
            }
        });
        waiting.start();
        waiting.interrupt();
        waiting.join();
    }
}
