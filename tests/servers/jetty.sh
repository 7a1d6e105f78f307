# Jetty: servlets on a pool of threads, one that answers from a thread of its
# own, files, keep-alive, a program that it starts, a thread dump on SIGQUIT, and
# a graceful end.
# km-test: needs=root,namespaces,/usr/bin/java,/usr/bin/ecj,/usr/share/java/jetty9-servlet.jar,/usr/bin/ab,/usr/bin/curl
. "${0%/*}/lib.sh"

cat >Server.java <<'JAVA'
import java.io.IOException;
import java.net.InetSocketAddress;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import javax.servlet.AsyncContext;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.eclipse.jetty.servlet.DefaultServlet;
import org.eclipse.jetty.servlet.ServletContextHandler;
import org.eclipse.jetty.servlet.ServletHolder;

public class Server {
    static class Digest extends HttpServlet {
        @Override
        protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException {
            try {
                byte[] body = request.getInputStream().readAllBytes();
                byte[] digest = MessageDigest.getInstance("MD5").digest(body);
                response.getWriter().println(HexFormat.of().formatHex(digest));
            } catch (java.security.NoSuchAlgorithmException error) {
                throw new IOException(error);
            }
        }
    }

    static class Child extends HttpServlet {
        @Override
        protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
            Process child = new ProcessBuilder("/bin/sh", "-c", "echo from a child; exit 3").start();
            try {
                String text = new String(child.getInputStream().readAllBytes());
                response.getWriter().print(child.waitFor() + " " + text);
            } catch (InterruptedException error) {
                throw new IOException(error);
            }
        }
    }

    static class Later extends HttpServlet {
        private final ScheduledExecutorService threads = Executors.newScheduledThreadPool(2);

        @Override
        protected void doGet(HttpServletRequest request, HttpServletResponse response) {
            AsyncContext context = request.startAsync();
            threads.schedule(() -> {
                context.getResponse().getWriter().println("later");
                context.complete();
                return null;
            }, 20, TimeUnit.MILLISECONDS);
        }
    }

    public static void main(String[] args) throws Exception {
        var server = new org.eclipse.jetty.server.Server(new InetSocketAddress("127.0.0.1", 7061));
        var context = new ServletContextHandler();
        context.setResourceBase("www");
        context.addServlet(new ServletHolder(new Digest()), "/digest");
        context.addServlet(new ServletHolder(new Child()), "/child");
        ServletHolder later = new ServletHolder(new Later());
        later.setAsyncSupported(true);
        context.addServlet(later, "/later");
        context.addServlet(DefaultServlet.class, "/");
        server.setHandler(context);
        server.setStopAtShutdown(true);
        server.start();
        server.join();
    }
}
JAVA

get() { curl -s -m 20 "http://127.0.0.1:7061/$1"; }
jars=/usr/share/java
classes=.:$jars/servlet-api.jar
for part in server servlet http io util security; do
    classes=$classes:$jars/jetty9-$part.jar
done
mkdir www
echo hello >www/index.html
head -c 3000000 /dev/urandom >www/large
works "the servlets compile" ecj -17 -proc:none -nowarn -cp "$classes" -d . Server.java

serve jetty /usr/bin/java -cp "$classes" Server
eventually "jetty answers" says hello get ""
is "a large file" "$(get large | md5sum)" "$(md5sum <www/large)"
is "a part" "$(curl -s -m 20 -r 1000-1099 http://127.0.0.1:7061/large | wc -c)" 100
is "nothing there" "$(curl -s -m 20 -o none -w '%{http_code}' http://127.0.0.1:7061/none)" 404
is "a child" "$(get child)" "3 from a child"
for number in 1 2 3 4; do
    curl -s -m 20 --data-binary @www/large http://127.0.0.1:7061/digest >"digest.$number" &
    requests="${requests-} $!"
    get later >"later.$number" &
    requests="$requests $!"
done
# shellcheck disable=SC2086 # words
wait $requests
is "bodies" "$(cat digest.* | sort -u)" "$(md5sum <www/large | cut -d' ' -f1)"
is "answers of other threads" "$(cat later.* | sort | uniq -c | xargs)" "4 later"
ab -q -k -n 200 -c 4 http://127.0.0.1:7061/ >ab.log 2>&1
for line in "Complete requests" "Failed requests" "Keep-Alive requests"; do
    echo "$line: $(sed -n "s/^$line: *//p" ab.log)"
done

# shellcheck disable=SC2154 # serve sets it
kill -QUIT "$jetty"
eventually "a thread dump" grep -q "Full thread dump" jetty.log
is "and it goes on" "$(get "")" hello
stop jetty TERM 143
eventually "having stopped its connector" grep -q "Stopped ServerConnector" jetty.log
finish
