// Compiled code checks for null by letting the processor fault; the virtual
// machine turns the signal into an exception. So do division and deep recursion.
public class Faults {
    static class Box {
        int value = 1;
    }

    static int read(Box box) {
        return box.value;
    }

    static int depth(int n) {
        return depth(n + 1) + 1;
    }

    public static void main(String[] args) {
        Box box = new Box();
        int caught = 0;
        long sum = 0;
        // Compiled while no null was seen, so without a check.
        for (int i = 0; i < 200_000; i++)
            sum += read(box);
        for (int i = 0; i < 20_000; i++) {
            try {
                sum += read(i % 20 == 0 ? null : box);
            } catch (NullPointerException e) {
                caught++;
            }
        }
        System.out.println(sum + " null " + caught);
        int zero = args.length, divided = 0;
        for (int i = 0; i < 20_000; i++) {
            try {
                sum += i / (i % 10 == 0 ? zero : 1);
            } catch (ArithmeticException e) {
                divided++;
            }
        }
        System.out.println("divisions " + divided);
        int overflows = 0;
        for (int i = 0; i < 3; i++) {
            try {
                depth(0);
            } catch (StackOverflowError e) {
                overflows++;
            }
        }
        System.out.println("overflows " + overflows);
        try {
            System.out.println(new int[3][zero + 7].length + ((Object[]) new String[1])[zero + 1].hashCode());
        } catch (ArrayIndexOutOfBoundsException e) {
            System.out.println(e.getMessage());
        }
        String text = args.length == 0 ? null : args[0];
        System.out.println(text.length());
    }
}
