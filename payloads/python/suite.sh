# CPython's own tests, run by the static interpreter. ONLY=all is all of them.
modules=${ONLY:-test_array test_ast test_asyncgen test_binascii test_builtin test_bytes test_bz2 test_c_locale_coercion \
    test_cmath test_cmd_line test_codecs test_complex test_contextlib test_coroutines test_csv test_curses test_dbm_dumb \
    test_descr test_dict test_eintr test_epoll test_errno test_exceptions test_faulthandler test_fcntl test_file \
    test_fileio test_float test_fork1 test_ftplib test_functools test_gc test_generators test_getpass test_glob \
    test_grammar test_grp test_gzip test_hashlib test_heapq test_httplib test_httpservers test_int test_io test_ioctl \
    test_itertools test_json test_kqueue test_largefile test_list test_locale test_logging test_long test_lzma \
    test_mailbox test_math test_memoryview test_mmap test_openpty test_os test_ordered_dict test_pathlib test_pickle \
    test_pipes test_poll test_popen test_posix test_posixpath test_pty test_pwd test_pyexpat test_queue test_random \
    test_re test_readline test_resource test_sched test_select test_selectors test_set test_shelve test_shutil \
    test_signal test_smtplib test_socket test_socketserver test_sqlite3 test_ssl test_stat test_statistics test_struct \
    test_subprocess test_sys test_sys_setprofile test_tarfile test_tempfile test_termios test_thread test_threadedtempfile \
    test_threading test_threadsignals test_time test_timeout test_tomllib test_traceback test_tty test_types \
    test_unicodedata test_unittest test_urllib test_uuid test_venv test_wait3 test_wait4 test_weakref test_xml_etree \
    test_zipfile test_zlib}
[ "$modules" != all ] || modules=

# shellcheck disable=SC2086 # words of $run, and a word a module
HOME=$PWD TMPDIR=$PWD $run -m test -j 2 --timeout 400 --use all,-network,-urlfetch,-largefile,-audio,-gui,-cpu \
    --tempdir "$PWD" --junit-xml results.xml $modules >all.log 2>&1

# A module that did not end by itself has no results; natively as well, or it
# counts.
/usr/bin/env python3 "$folder/results.py" results.xml
