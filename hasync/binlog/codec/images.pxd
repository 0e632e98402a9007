from hasync.binlog.codec.buffer cimport Buffer
from hasync.binlog.codec.text cimport Text

cdef class Shape:
    cdef int[::1] columns
    cdef Py_ssize_t count
    cdef Py_ssize_t null_bytes

cdef class Rows:
    cdef public bytes data
    cdef public Py_ssize_t count
    cdef int[::1] spots
    cdef Py_ssize_t room
    cdef Py_ssize_t stride
    cdef list texts

    cdef Py_ssize_t scan(self, bytes data, Py_ssize_t at, Py_ssize_t end, Shape first, Shape second) except -1
    cdef Py_ssize_t walk(self, Shape shape, Py_ssize_t at, Py_ssize_t end, Py_ssize_t base) except -1
    cdef bint null(self, Py_ssize_t row, Py_ssize_t slot) except -1
    cdef int write(self, Buffer out, Py_ssize_t row, Py_ssize_t slot) except -1
    cdef Py_ssize_t raw_size(self, Py_ssize_t row, Py_ssize_t slot) except -2
    cdef bint same(self, Py_ssize_t row, Py_ssize_t one, Py_ssize_t other) except -1
