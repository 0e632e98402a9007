from hasync.binlog.codec.buffer cimport Buffer

cdef class Text:
    cdef public int kind
    cdef int width
    cdef int whole_digits
    cdef int scale
    cdef public object decode
    cdef public object arg
    cdef tuple members

    cdef int write(self, Buffer out, bytes data, Py_ssize_t at, Py_ssize_t size_bytes) except -1
    cdef int _integer(self, Buffer out, bytes data, Py_ssize_t at, Py_ssize_t size_bytes) except -1
    cdef int _otherwise(self, Buffer out, bytes data, Py_ssize_t at, Py_ssize_t size_bytes) except -1
    cdef int _enum(self, Buffer out, bytes data, Py_ssize_t at, Py_ssize_t size_bytes) except -1
    cdef int _temporal(self, Buffer out, bytes data, Py_ssize_t at, Py_ssize_t size_bytes) except -1
    cdef int _datetime(self, Buffer out, bytes data, Py_ssize_t at) except -1
    cdef int _time(self, Buffer out, bytes data, Py_ssize_t at, Py_ssize_t size_bytes) except -1
    cdef int _timestamp(self, Buffer out, bytes data, Py_ssize_t at, Py_ssize_t size_bytes) except -1
    cdef int _fraction(self, Buffer out, unsigned long long number) except -1
    cdef int _decimal(self, Buffer out, bytes data, Py_ssize_t at, Py_ssize_t size_bytes) except -1
    cdef Py_ssize_t _digits(self, Buffer out, bytes data, Py_ssize_t at, int digits, int flip, int mask) except -1
