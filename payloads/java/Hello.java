public class Hello {
    public static void main(String[] args) {
        System.out.println("hello from Java, " + args.length + " arguments");
        System.err.println("and to standard error");
        System.exit(args.length);
    }
}
