from hasync.binlog.codec.effects cimport Effects
from hasync.binlog.codec.images cimport Rows, Shape
from hasync.binlog.codec.output cimport Output

cdef class LanePlan:
    cdef bytes bitmaps
    cdef Shape first
    cdef Shape second
    cdef Rows rows
    cdef Effects effects
    cdef object objects

cdef class LaneTable:
    cdef bytes body
    cdef object layout
    cdef Py_ssize_t width
    cdef list plans

    cdef LanePlan plan(self, Lane lane, int kind, Py_ssize_t at, Py_ssize_t size_bytes)

cdef class Lane:
    cdef object layouts
    cdef Output output
    cdef bint mariadb
    cdef public bint checksum
    cdef object generation
    cdef list recent
    cdef Py_ssize_t next_recent
    cdef bytes data
    cdef Py_ssize_t limit
    cdef Py_ssize_t at
    cdef Py_ssize_t body
    cdef Py_ssize_t end
    cdef int kind
    cdef unsigned long long size
    cdef unsigned long long header_time
    cdef unsigned long long pos
    cdef bytes origin
    cdef unsigned long long number
    cdef bint numbered
    cdef unsigned long long taken
    cdef unsigned long long micros
    cdef unsigned long long began
    cdef list tables
    cdef unsigned long long[::1] numbers
    cdef Py_ssize_t open_rows
    cdef unsigned long long open_bytes
    cdef readonly Py_ssize_t transactions
    cdef readonly Py_ssize_t rows
    cdef readonly unsigned long long bytes
    cdef readonly unsigned long long stop
    cdef readonly unsigned long long last
    cdef readonly double commit_time
    cdef readonly bint starved
    cdef readonly bint full

    cdef int event(self) except -1
    cdef int transaction(self, Py_ssize_t room_rows, unsigned long long room_bytes) except -1
    cdef int gtid(self) except -1
    cdef bint left_out(self, unsigned long long hole) except -1
    cdef int query_is(self, bytes text) except -1
    cdef int table_map(self) except -1
    cdef int row_images(self) except -1
    cdef unsigned long long little(self, Py_ssize_t at, int size_bytes) except? 0xFFFFFFFFFFFFFFFF
