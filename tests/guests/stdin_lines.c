// Reads standard input to its end.
// km-test: stdin=first line\nsecond line\nno newline at the end
#include "check.h"
#include <unistd.h>

int main(void)
{
    char line[256];
    int lines = 0;
    size_t bytes = 0;
    while (fgets(line, sizeof line, stdin)) {
        lines++;
        bytes += strlen(line);
        line[strcspn(line, "\n")] = 0;
        printf("[%s]\n", line);
    }
    EQ("lines", lines, 3);
    EQ("bytes", bytes, 44);
    CHECK("end of file", feof(stdin) && !ferror(stdin));
    EQ("and again", read(0, line, 1), 0);
    return check_done();
}
