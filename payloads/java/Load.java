import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.LongAdder;

// Eight threads that make and drop objects while the collector runs beside them.
public class Load {
    record Node(Node left, Node right, long[] data) {
        long count() {
            return 1 + (left == null ? 0 : left.count()) + (right == null ? 0 : right.count());
        }
    }

    static Node tree(int depth) {
        return depth == 0 ? new Node(null, null, new long[1])
                : new Node(tree(depth - 1), tree(depth - 1), new long[depth]);
    }

    public static void main(String[] args) throws Exception {
        int threads = 8;
        Node kept = tree(14);
        Map<String, LongAdder> words = new ConcurrentHashMap<>();
        CyclicBarrier barrier = new CyclicBarrier(threads);
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        List<Callable<Long>> work = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            int me = i;
            work.add(() -> {
                barrier.await();
                long sum = 0;
                Map<Integer, byte[]> own = new HashMap<>();
                for (int n = 0; n < 100; n++) {
                    sum += tree(8).count();
                    own.put(n % 10, new byte[n * 500]);
                    words.computeIfAbsent("word " + n % 17, word -> new LongAdder()).increment();
                    synchronized (words) {
                        sum += me - me;
                    }
                }
                return sum;
            });
        }
        long sum = 0;
        for (Future<Long> future : pool.invokeAll(work))
            sum += future.get();
        pool.shutdown();
        System.gc();
        long counted = words.values().stream().mapToLong(LongAdder::sum).sum();
        System.out.println(sum + " " + counted + " " + words.size() + " " + kept.count());
    }
}
