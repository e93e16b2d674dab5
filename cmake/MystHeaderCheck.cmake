# Target myst_header_check: compiles every header of the given layers on its own, twice in one file, with nothing
# but the layer's public dependencies and no precompiled header.
#
#   myst_check_headers(<layer>…)
function(myst_check_headers)
  add_custom_target(myst_header_check)
  foreach(layer IN LISTS ARGN)
    string(REPLACE / _ name "${layer}")
    # Headers stand in no source list, so new ones are looked for before every build.
    file(GLOB headers CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/src/myst/${layer}/*.hpp")
    set(units "")
    foreach(header IN LISTS headers)
      set(unit "${PROJECT_BINARY_DIR}/header_check/${header}.cpp")
      file(CONFIGURE OUTPUT "${unit}" CONTENT "#include \"${header}\"\n#include \"${header}\"\n")
      list(APPEND units "${unit}")
    endforeach()
    if(units)
      add_library(myst_${name}_headers OBJECT EXCLUDE_FROM_ALL ${units})
      target_link_libraries(myst_${name}_headers PRIVATE myst::${name})
      # Only whether it compiles is of interest. Options of source files come last and so override the others.
      set_source_files_properties(${units} PROPERTIES COMPILE_OPTIONS "-O0;-g0;-fno-sanitize=all")
      add_dependencies(myst_header_check myst_${name}_headers)
    endif()
  endforeach()
endfunction()
